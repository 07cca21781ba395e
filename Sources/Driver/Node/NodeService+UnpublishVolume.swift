import CSI
import Host
import Storage

extension NodeService {
  /// NodeUnpublishVolume: unmounts and removes the target, whatever is left of it; deletes inline ephemeral volumes.
  func nodeUnpublishVolume(_ request: NodeUnpublishVolumeRequest) async throws -> NodeUnpublishVolumeResponse {
    let volumeID = try FieldRules.required(request.volumeID, "volume_id")
    let target = try pathToLeave(FieldRules.path(request.targetPath, "target_path"))
    if let (owner, _) = try await ephemeral(volumeID) {
      return try await unpublishEphemeral(volumeID, owner, target, request)
    }
    let id = registry.parse(volumeID)
    return try await gate.run(
      exclusive: [.nodeVolume(id), .path(target)], shared: [.volume(id)], request: request
    ) {
      try await unpublish(id, target)
      return NodeUnpublishVolumeResponse()
    }
  }

  /// A block target outlives its read-only loop device, so that a repeat after a crash knows that there may be one.
  func unpublish(_ id: QualifiedID, _ target: String) async throws {
    let isLimited = registry.backend(of: id) is any IOLimitingBackend
    let device = isLimited ? try IOLimiter.device(at: target) : nil
    try await unmount(target, of: id)
    CrashPoint.unpublishAfterUnmount.reached()
    try limiter.lift(device, at: target)
    CrashPoint.unpublishLimitsLifted.reached()
    let isFile = try FileKind.of(target) == .file
    if isFile, let source = try await registry.source(of: id) {
      for loop in try Presence(of: source).idleReadOnlyLoops() { try loop.detach() }
    }
    try HostPath.removeMountPoint(target)
    CrashPoint.unpublishTargetRemoved.reached()
  }
}
