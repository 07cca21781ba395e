import CSI
import Storage

extension ControllerService {
  /// CreateVolume: idempotent by name; a repeat finds the volume, another request for the name is ALREADY_EXISTS.
  func createVolume(_ request: CreateVolumeRequest) async throws -> CreateVolumeResponse {
    let order = try VolumeOrder(validating: request, registry)
    return try await gate.run(exclusive: order.keys(registry), shared: order.sharedKeys, request: request) {
      if let (existing, owner) = try await volume(named: order.spec.name) {
        try order.checkMatch(existing, of: owner)
        // Success says that the volume has them, whatever an earlier request for the name asked for.
        if let backend = order.backend as? any ModifiableBackend {
          let id = registry.id(existing.id, of: order.backend)
          try await modify(id, order.spec.mutableParameters, order.spec.secrets, backend)
        }
        return response(existing, order.backend)
      }
      try await order.checkSurroundings()
      return response(try await order.backend.createVolume(order.spec), order.backend)
    }
  }

  private func response(_ volume: Volume, _ backend: any StorageBackend) -> CreateVolumeResponse {
    var response = CreateVolumeResponse()
    response.volume = registry.wire(volume, of: backend)
    return response
  }

  /// Names are unique in the whole plugin, whatever backend a storage class picks.
  private func volume(named name: String) async throws -> (Volume, any StorageBackend)? {
    for backend in registry.all {
      if let volume = try await backend.volume(named: name) { return (volume, backend) }
    }
    return nil
  }
}
