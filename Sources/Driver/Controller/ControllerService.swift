import Storage

/// The Controller service (CSI spec, Controller Service RPC). One file a call.
struct ControllerService: Sendable {
  let registry: BackendRegistry
  let gate: OperationGate
  let configuration: DriverConfiguration

  /// The backend of `id` with the ability to do `call`.
  /// - Throws: `.unsupported` when it cannot.
  func able<Ability>(_ ability: Ability.Type, _ id: QualifiedID, _ call: String) throws -> Ability {
    guard let able = registry.backend(of: id) as? Ability else {
      throw StorageError.unsupported("backend \(id.backend) does not support \(call)")
    }
    return able
  }

  /// The health that the controller sees, or nil when the backend does not report it.
  func condition(of volume: NativeID, _ backend: any StorageBackend) async throws -> VolumeCondition? {
    try await (backend as? any HealthReportingBackend)?.condition(of: volume)
  }

  /// The same for listings, which tell of thousands of volumes: as found a few seconds ago.
  func recentCondition(of volume: NativeID, _ backend: any StorageBackend) async throws -> VolumeCondition? {
    try await (backend as? any HealthReportingBackend)?.recentCondition(of: volume)
  }
}
