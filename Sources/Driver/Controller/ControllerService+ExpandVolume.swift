import CSI
import Storage

extension ControllerService {
  /// ControllerExpandVolume: online; a volume that is large enough already is a success, nothing ever shrinks.
  func controllerExpandVolume(_ request: ControllerExpandVolumeRequest) async throws -> ControllerExpandVolumeResponse {
    guard configuration.expansion == .controller else {
      throw StorageError.unsupported("volumes are expanded by NodeExpandVolume alone")
    }
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    guard let wanted = request.capacityRange else { throw StorageError.invalid("capacity_range is required") }
    let range = try CapacityRange(validating: wanted)
    let capability = try request.volumeCapability.map(VolumeCapability.init(validating:))
    let backend = try able((any ExpandableBackend).self, id, "expansion")
    return try await gate.run(exclusive: [.volume(id), .nodeVolume(id)], request: request) {
      let volume = try await registry.volume(id)
      if let capability, let objection = volume.content?.objection(to: capability) {
        throw StorageError.invalid(objection)
      }
      let expansion = try await backend.expand(id.native, to: range, secrets: Secrets(request.secrets))
      var response = ControllerExpandVolumeResponse()
      response.capacityBytes = expansion.capacity.bytes
      response.nodeExpansionRequired = expansion.needsNode
      return response
    }
  }
}
