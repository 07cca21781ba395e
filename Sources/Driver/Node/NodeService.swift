import Host
import Storage

/// The Node service (CSI spec, Node Service RPC). One file a call. What is staged and published is read from the mount
/// table and the backends at every call: a restart loses nothing.
struct NodeService: Sendable {
  let registry: BackendRegistry
  let gate: OperationGate
  let configuration: DriverConfiguration

  var limiter: IOLimiter { IOLimiter(registry: registry, configuration: configuration) }

  /// Checks a path that the CO gives up. Its parent may be gone already: nothing is there then, and nothing to refuse.
  /// - Returns: the path as the mount table would spell it.
  func pathToLeave(_ path: String) throws -> String {
    let isThere = HostPath.exists(HostPath.parent(of: path))
    try HostPath.checkTarget(path, within: isThere ? configuration.allowedPathPrefixes : [])
    return HostPath.canonical(path)
  }
}
