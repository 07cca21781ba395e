import CSI
import Storage

extension ControllerService {
  /// DeleteVolume: succeeds for a volume that does not exist; FAILED_PRECONDITION while it is in use.
  func deleteVolume(_ request: DeleteVolumeRequest) async throws -> DeleteVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    return try await gate.run(exclusive: [.volume(id), .nodeVolume(id)], request: request) {
      try await registry.backend(of: id).deleteVolume(id.native, secrets: Secrets(request.secrets))
      return DeleteVolumeResponse()
    }
  }
}
