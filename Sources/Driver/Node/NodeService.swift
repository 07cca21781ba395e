import Storage

/// The Node service (CSI spec, Node Service RPC). One file a call. What is staged and published is read from the mount
/// table and the backends at every call: a restart loses nothing.
struct NodeService: Sendable {
  let registry: BackendRegistry
  let gate: OperationGate
  let configuration: DriverConfiguration
}
