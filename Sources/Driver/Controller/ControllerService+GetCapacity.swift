import CSI
import Storage

extension ControllerService {
  /// GetCapacity: zero, not an error, for parameters, modes or places that nothing satisfies. The storage capacity
  /// tracker sends storage class parameters with the sidecars' keys.
  func getCapacity(_ request: GetCapacityRequest) async throws -> GetCapacityResponse {
    let parameters = ClassParameters(try FieldRules.map(request.parameters, "parameters"))
    let capabilities =
      request.volumeCapabilities.isEmpty ? [] : try VolumeCapability.list(request.volumeCapabilities)
    let place = request.accessibleTopology.map { Topology($0.segments) }
    let capacity = try await capacity(parameters, capabilities, place)
    var response = GetCapacityResponse()
    response.availableCapacity = max(0, capacity.available.bytes)
    response.maximumVolumeSize = capacity.maximumVolume?.bytes
    response.minimumVolumeSize = capacity.minimumVolume?.bytes
    return response
  }

  private func capacity(
    _ parameters: ClassParameters, _ capabilities: [VolumeCapability], _ place: Topology?
  ) async throws -> Capacity {
    do {
      let backend = try registry.backend(named: parameters.backend)
      try backend.checkSupport(capabilities)
      return try await backend.capacity(
        CapacityQuery(
          capabilities: capabilities, parameters: try backend.canonical(parameters: parameters.rest), topology: place))
    } catch StorageError.invalid {
      return .none
    }
  }
}
