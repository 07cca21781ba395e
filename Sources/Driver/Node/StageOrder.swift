import CSI
import Host
import Storage

/// A NodeStageVolume request that passed every check that needs no look at the volume.
struct StageOrder: Sendable {
  let id: QualifiedID
  /// As the mount table would spell it.
  let path: String
  let capability: VolumeCapability
  let connection: NodeConnection

  var isReadOnly: Bool { connection.readOnly }

  init(
    validating request: NodeStageVolumeRequest, _ registry: BackendRegistry, _ configuration: DriverConfiguration
  ) throws {
    let volumeID = try FieldRules.required(request.volumeID, "volume_id")
    let staging = try FieldRules.path(request.stagingTargetPath, "staging_target_path")
    capability = try VolumeCapability.required(request.volumeCapability)
    let publishContext = try FieldRules.map(request.publishContext, "publish_context")
    connection = NodeConnection(
      publishContext: publishContext, volumeContext: try FieldRules.map(request.volumeContext, "volume_context"),
      secrets: Secrets(request.secrets),
      readOnly: capability.mode.isReadOnly || publishContext["readOnly"] == "true")
    id = registry.parse(volumeID)
    try HostPath.checkTarget(staging, within: configuration.allowedPathPrefixes)
    path = HostPath.canonical(staging)
  }
}
