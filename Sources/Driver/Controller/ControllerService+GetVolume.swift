import CSI
import Storage

extension ControllerService {
  /// ControllerGetVolume.
  func controllerGetVolume(_ request: ControllerGetVolumeRequest) async throws -> ControllerGetVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let volume = try await registry.volume(id)
    let backend = registry.backend(of: id)
    var status = ControllerGetVolumeResponse.VolumeStatus()
    status.publishedNodeIDs = volume.publishedNodes.map(\.rawValue)
    status.volumeCondition = try await condition(of: id.native, backend)?.wire
    var response = ControllerGetVolumeResponse()
    response.volume = registry.wire(volume, of: backend)
    response.status = status
    return response
  }
}
