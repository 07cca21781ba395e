import CSI
import Host
import Storage

/// A NodePublishVolume request that passed every check that needs no look at the volume.
struct PublishOrder: Sendable {
  let volumeID: String
  /// As the mount table would spell it.
  let target: String
  /// nil when the CO named none.
  let staging: String?
  let capability: VolumeCapability
  let isReadOnly: Bool
  let volumeContext: [String: String]
  let secrets: Secrets

  /// The volume belongs to one pod and is made here (CSI inline ephemeral volumes of Kubernetes).
  var isEphemeral: Bool { volumeContext[Self.ephemeralKey] == "true" }
  static let ephemeralKey = "csi.storage.k8s.io/ephemeral"

  init(validating request: NodePublishVolumeRequest, _ configuration: DriverConfiguration) throws {
    volumeID = try FieldRules.required(request.volumeID, "volume_id")
    let target = try FieldRules.path(request.targetPath, "target_path")
    capability = try VolumeCapability.required(request.volumeCapability)
    _ = try FieldRules.map(request.publishContext, "publish_context")
    volumeContext = try FieldRules.map(request.volumeContext, "volume_context")
    secrets = Secrets(request.secrets)
    isReadOnly = request.readonly || capability.mode.isReadOnly || capability.mount?.asksReadOnly == true
    try HostPath.checkTarget(target, within: configuration.allowedPathPrefixes)
    self.target = HostPath.canonical(target)
    guard !request.stagingTargetPath.isEmpty else {
      staging = nil
      return
    }
    let staging = try FieldRules.path(request.stagingTargetPath, "staging_target_path")
    try HostPath.checkTarget(staging, within: configuration.allowedPathPrefixes)
    self.staging = HostPath.canonical(staging)
  }

  var publication: Publication {
    Publication(
      target: target, type: capability.type, isReadOnly: isReadOnly,
      filesystem: capability.mount?.filesystem?.rawValue)
  }
}
