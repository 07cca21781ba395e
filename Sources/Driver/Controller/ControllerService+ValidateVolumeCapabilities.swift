import CSI
import Storage

extension ControllerService {
  /// ValidateVolumeCapabilities: confirms all or says in words what does not fit.
  func validateVolumeCapabilities(
    _ request: ValidateVolumeCapabilitiesRequest
  ) async throws -> ValidateVolumeCapabilitiesResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let capabilities = try VolumeCapability.list(request.volumeCapabilities)
    _ = try FieldRules.map(request.volumeContext, "volume_context")
    _ = try FieldRules.map(request.parameters, "parameters")
    _ = try FieldRules.map(request.mutableParameters, "mutable_parameters")
    let volume = try await registry.volume(id)
    var response = ValidateVolumeCapabilitiesResponse()
    if let objection = objection(to: request, capabilities, volume, registry.backend(of: id)) {
      response.message = objection
      return response
    }
    var confirmed = ValidateVolumeCapabilitiesResponse.Confirmed()
    confirmed.volumeContext = request.volumeContext
    confirmed.volumeCapabilities = request.volumeCapabilities
    confirmed.parameters = request.parameters
    confirmed.mutableParameters = request.mutableParameters
    response.confirmed = confirmed
    return response
  }

  private func objection(
    to request: ValidateVolumeCapabilitiesRequest, _ capabilities: [VolumeCapability],
    _ volume: Volume, _ backend: any Backend
  ) -> String? {
    do {
      try backend.checkSupport(capabilities)
      let parameters = try backend.canonical(parameters: ClassParameters(request.parameters).rest)
      if !request.parameters.isEmpty, let recorded = volume.parameters, recorded != parameters {
        return "parameters differ from those that the volume was made with"
      }
      _ = try MutableParameters.canonical(request.mutableParameters, backend)
    } catch {
      return "\(error)"
    }
    if !request.volumeContext.isEmpty, volume.context.contains(where: { request.volumeContext[$0.key] != $0.value }) {
      return "volume_context is not the volume's"
    }
    return capabilities.lazy.compactMap { volume.content?.objection(to: $0) }.first
  }
}

extension VolumeContent {
  /// Why a volume that was made with this content cannot be used with `capability`, or nil.
  func objection(to capability: VolumeCapability) -> String? {
    switch (self, capability.access) {
    case (.block, .block): nil
    case (.block, .mount): "the volume is a raw block volume"
    case (.filesystem(let type), .block): "the volume holds \(type.rawValue)"
    case (.filesystem(let type), .mount(let mount)):
      mount.filesystem == nil || mount.filesystem == type ? nil : "the volume holds \(type.rawValue)"
    }
  }
}
