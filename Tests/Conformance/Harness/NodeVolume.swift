import CSI

/// One volume on its way to pods: the paths that a CO would choose and the calls with them.
struct NodeVolume {
  let server: Server
  let volume: Volume
  var capability: VolumeCapability
  let staging: String

  init(_ server: Server, _ volume: Volume, _ capability: VolumeCapability = .mount()) {
    self.server = server
    self.volume = volume
    self.capability = capability
    staging = server.work + "/" + Self.element(volume.volumeID) + ".staging"
    Files.makeDirectory(staging)
  }

  private static func element(_ id: String) -> String { String(id.map { $0 == "/" ? "_" : $0 }) }

  /// The target path of pod number `pod`.
  func target(_ pod: Int = 1) -> String { server.work + "/" + Self.element(volume.volumeID) + ".pod\(pod)" }

  var stageRequest: NodeStageVolumeRequest {
    NodeStageVolumeRequest(
      volumeID: volume.volumeID, stagingTargetPath: staging, volumeCapability: capability,
      volumeContext: volume.volumeContext)
  }

  func publishRequest(_ pod: Int = 1, readonly: Bool = false) -> NodePublishVolumeRequest {
    NodePublishVolumeRequest(
      volumeID: volume.volumeID, stagingTargetPath: staging, targetPath: target(pod), volumeCapability: capability,
      readonly: readonly, volumeContext: volume.volumeContext)
  }

  func unpublishRequest(_ pod: Int = 1) -> NodeUnpublishVolumeRequest {
    NodeUnpublishVolumeRequest(volumeID: volume.volumeID, targetPath: target(pod))
  }

  var unstageRequest: NodeUnstageVolumeRequest {
    NodeUnstageVolumeRequest(volumeID: volume.volumeID, stagingTargetPath: staging)
  }

  func stage() async throws { try await server.call(Methods.nodeStageVolume, stageRequest) }
  func publish(_ pod: Int = 1, readonly: Bool = false) async throws {
    try await server.call(Methods.nodePublishVolume, publishRequest(pod, readonly: readonly))
  }
  func unpublish(_ pod: Int = 1) async throws {
    try await server.call(Methods.nodeUnpublishVolume, unpublishRequest(pod))
  }
  func unstage() async throws { try await server.call(Methods.nodeUnstageVolume, unstageRequest) }

  /// Stages, publishes for pod 1, runs `body` with its path, and takes everything back.
  func whilePublished(_ body: (String) async throws -> Void) async throws {
    try await stage()
    try await publish()
    try await body(target())
    try await unpublish()
    try await unstage()
  }
}

extension Server {
  /// Creates a volume and prepares its way to the node.
  func nodeVolume(_ name: String, bytes: Int64 = mib(16), _ capability: VolumeCapability = .mount()) async throws
    -> NodeVolume
  {
    NodeVolume(self, try await create(.named(name, bytes: bytes, capability)), capability)
  }
}
