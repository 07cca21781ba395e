import CSI
import Host
import Storage

extension NodeService {
  /// NodeUnstageVolume: unmounts what is staged and takes the volume away from this host. The staging directory is the
  /// CO's and stays.
  func nodeUnstageVolume(_ request: NodeUnstageVolumeRequest) async throws -> NodeUnstageVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let path = try pathToLeave(FieldRules.path(request.stagingTargetPath, "staging_target_path"))
    return try await gate.run(exclusive: [.volume(id), .nodeVolume(id), .path(path)], request: request) {
      try await unmount(path, of: id)
      // Only now is the directory the CO's own; before, `device` could have been a user's file on the volume.
      let device = Self.devicePath(staging: path)
      try await unmount(device, of: id)
      try HostPath.removeMountPoint(device)
      CrashPoint.unstageAfterUnmount.reached()
      try await disconnect(id)
      CrashPoint.unstageAfterDisconnect.reached()
      return NodeUnstageVolumeResponse()
    }
  }
}
