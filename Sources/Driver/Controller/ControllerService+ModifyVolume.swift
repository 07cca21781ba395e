import CSI
import Storage

extension ControllerService {
  /// ControllerModifyVolume: no backend has parameters that can change.
  func controllerModifyVolume(_ request: ControllerModifyVolumeRequest) async throws -> ControllerModifyVolumeResponse {
    throw StorageError.unsupported("volumes of this driver cannot be modified")
  }
}
