import CSI
import Storage

extension ControllerService {
  /// ControllerPublishVolume: the same context on a repeat. Volumes of backends without attachment need none.
  func controllerPublishVolume(
    _ request: ControllerPublishVolumeRequest
  ) async throws -> ControllerPublishVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let node = NodeID(try FieldRules.required(request.nodeID, "node_id", limit: 256))
    let capability = try VolumeCapability.required(request.volumeCapability)
    _ = try FieldRules.map(request.volumeContext, "volume_context")
    try requireAttachment()
    return try await gate.run(exclusive: [.volume(id)], request: request) {
      _ = try await registry.volume(id)
      let backend = registry.backend(of: id)
      try backend.checkSupport([capability])
      var response = ControllerPublishVolumeResponse()
      response.publishContext =
        try await (backend as? any AttachableBackend)?.attach(
          id.native, to: node, capability: capability, readOnly: request.readonly, secrets: Secrets(request.secrets))
        ?? [:]
      return response
    }
  }

  /// ControllerUnpublishVolume: from all nodes when none is named; succeeds when nothing is attached or known.
  func controllerUnpublishVolume(
    _ request: ControllerUnpublishVolumeRequest
  ) async throws -> ControllerUnpublishVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let node = try FieldRules.optional(request.nodeID, "node_id", limit: 256)
    try requireAttachment()
    return try await gate.run(exclusive: [.volume(id)], request: request) {
      try await (registry.backend(of: id) as? any AttachableBackend)?.detach(
        id.native, from: node.isEmpty ? nil : NodeID(node), secrets: Secrets(request.secrets))
      return ControllerUnpublishVolumeResponse()
    }
  }

  private func requireAttachment() throws {
    guard registry.conform(to: (any AttachableBackend).self) else {
      throw StorageError.unsupported("volumes of this driver need no attachment")
    }
  }
}
