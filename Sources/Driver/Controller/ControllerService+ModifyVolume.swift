import CSI
import Storage

extension ControllerService {
  /// ControllerModifyVolume: everything is checked before anything changes; keys left out keep their values. What the
  /// node puts on pods holds for those that use the volume here and now when this returns.
  func controllerModifyVolume(_ request: ControllerModifyVolumeRequest) async throws -> ControllerModifyVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let parameters = try FieldRules.map(request.mutableParameters, "mutable_parameters")
    guard !parameters.isEmpty else { throw StorageError.invalid("mutable_parameters is required") }
    guard registry.conform(to: (any ModifiableBackend).self) else {
      throw StorageError.unsupported("volumes of this driver cannot be modified")
    }
    return try await gate.run(exclusive: [.volume(id), .nodeVolume(id)], request: request) {
      _ = try await registry.volume(id)
      guard let backend = registry.backend(of: id) as? any ModifiableBackend else {
        throw StorageError.invalid("volumes of backend \(id.backend) cannot be modified")
      }
      try await modify(id, MutableParameters.canonical(parameters, backend), Secrets(request.secrets), backend)
      return ControllerModifyVolumeResponse()
    }
  }

  /// - Parameter parameters: canonical.
  func modify(
    _ id: QualifiedID, _ parameters: [String: String], _ secrets: Secrets, _ backend: any ModifiableBackend
  ) async throws {
    guard !parameters.isEmpty else { return }
    let limiter = IOLimiter(registry: registry, configuration: configuration)
    // A promise that this host cannot keep is not recorded.
    try await limiter.checkPublished(id)
    try await backend.modify(id.native, mutableParameters: parameters, secrets: secrets)
    try await limiter.limitPublished(id)
  }
}

/// `mutable_parameters`, the same for creation and modification.
enum MutableParameters {
  /// - Parameter backend: any; one that is not modifiable takes none.
  /// - Throws: `.invalid`.
  static func canonical(_ parameters: [String: String], _ backend: any Sendable) throws -> [String: String] {
    let own = parameters.filter { !ClassParameters.belongsToSidecar($0.key) }
    guard let backend = backend as? any ModifiableBackend else {
      guard own.isEmpty else { throw StorageError.invalid("mutable_parameters is not supported") }
      return [:]
    }
    return try backend.canonical(mutableParameters: own)
  }
}
