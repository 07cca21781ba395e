import CSI
import GRPC
import Testing

extension Conformance {
  /// Credentials come in and never go out: not to the log, not into an error, not onto the disk.
  @Suite struct Secrets {
    private static let sentinel = "Se5ame-0pen.You_sentinel"
    private static let secrets: SecretMap = [
      "user-key_1.a": "Se5ame-0pen.You_sentinel", "unknown": "Se5ame-0pen.You_sentinel",
    ]

    /// Sends the sentinel in every field that may hold a credential, in calls that succeed and in calls that fail.
    private func sendEverywhere(_ server: Server) async throws {
      let secrets = Self.secrets
      var create = CreateVolumeRequest.named("v")
      create.secrets = secrets
      let volume = try await server.create(create)
      let id = volume.volumeID
      let node = NodeVolume(server, volume)
      var refused = create
      refused.parameters = ["bad": "x"]
      try await server.refuses(.invalidArgument, by: Methods.createVolume, refused)

      try await server.call(
        Methods.controllerPublishVolume,
        .init(volumeID: id, nodeID: "node-1", volumeCapability: .mount(), secrets: secrets))
      try await server.call(
        Methods.validateVolumeCapabilities, .init(volumeID: id, volumeCapabilities: [.mount()], secrets: secrets))
      _ = try? await server.call(
        Methods.controllerModifyVolume, .init(volumeID: id, secrets: secrets, mutableParameters: ["k": "v"]))
      var stage = node.stageRequest
      stage.secrets = secrets
      stage.volumeContext["csi.storage.k8s.io/serviceAccount.tokens"] = Self.sentinel
      try await server.call(Methods.nodeStageVolume, stage)
      var publish = node.publishRequest()
      publish.secrets = secrets
      publish.volumeContext["csi.storage.k8s.io/serviceAccount.tokens"] = Self.sentinel
      try await server.call(Methods.nodePublishVolume, publish)
      try await server.call(
        Methods.controllerExpandVolume,
        .init(volumeID: id, capacityRange: .atLeast(mib(32)), secrets: secrets, volumeCapability: .mount()))
      // Not every host lets its root grow a mounted ext4; the call is logged either way.
      _ = try? await server.call(
        Methods.nodeExpandVolume, .init(volumeID: id, volumePath: node.target(), secrets: secrets))
      try await sendWithSnapshots(server, id)
      try await node.unpublish()
      try await node.unstage()
      try await server.call(
        Methods.controllerUnpublishVolume, .init(volumeID: id, nodeID: "node-1", secrets: secrets))
      stage.volumeCapability = .mount("ext4", flags: ["context=\(Self.sentinel)"])
      _ = try? await server.call(Methods.nodeStageVolume, stage)
      try await node.unstage()
      try await server.call(Methods.deleteVolume, .init(volumeID: id, secrets: secrets))
    }

    private func sendWithSnapshots(_ server: Server, _ id: String) async throws {
      let secrets = Self.secrets
      let point = try #require(
        try await server.call(Methods.createSnapshot, .init(sourceVolumeID: id, name: "s", secrets: secrets)).snapshot)
      try await server.call(Methods.listSnapshots, .init(secrets: secrets))
      try await server.call(Methods.getSnapshot, .init(snapshotID: point.snapshotID, secrets: secrets))
      _ = try await server.stream(
        Methods.getMetadataAllocated, .init(snapshotID: point.snapshotID, secrets: secrets))
      _ = try await server.stream(
        Methods.getMetadataDelta,
        .init(baseSnapshotID: point.snapshotID, targetSnapshotID: point.snapshotID, secrets: secrets))
      try await server.call(Methods.deleteSnapshot, .init(snapshotID: point.snapshotID, secrets: secrets))
      let group = try #require(
        try await server.call(
          Methods.createVolumeGroupSnapshot, .init(name: "g", sourceVolumeIDs: [id], secrets: secrets)
        ).groupSnapshot)
      let ids = group.snapshots.map(\.snapshotID)
      try await server.call(
        Methods.getVolumeGroupSnapshot,
        .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: ids, secrets: secrets))
      try await server.call(
        Methods.deleteVolumeGroupSnapshot,
        .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: ids, secrets: secrets))
      try await server.call(Methods.controllerListVolumeHealth, .init(secrets: secrets))
      try await server.call(Methods.controllerGetVolumeHealth, .init(volumeID: id, secrets: secrets))
      try await server.call(Methods.nodeGetStorageHealth, .init(secrets: secrets))
    }

    @Test(arguments: ["info", "trace"])
    func `a credential that every call carried is nowhere in the log or on the disk`(level: String) async throws {
      try await withServer(.configured("logLevel: \(level)\nadvertise113: true")) { server in
        try await sendEverywhere(server)
        let log = server.log
        #expect(log.contains("CreateVolume"), "calls are logged at all")
        #expect(!log.contains(Self.sentinel))
        if Backend.underTest == .lvm {
          let area = VolumeGroup.metadataArea
          #expect(!area.isEmpty)
          #expect(area.firstRange(of: Array(Self.sentinel.utf8)) == nil, "in the metadata of the volume group")
        }
        for file in Files.tree(server.data).union(Files.tree(server.runtime)) where !Files.isDirectory(file) {
          #expect(!Files.text(file).contains(Self.sentinel), "\(file)")
        }
      }
    }

    @Test func `the server's memory, where credentials pass, goes into no core dump`() async throws {
      try await withServer { server in
        let process = try #require(server.processID)
        let limits = Files.text("/proc/\(process)/limits").split(separator: "\n")
        let core = try #require(limits.first { $0.hasPrefix("Max core file size") })
        #expect(core.split(separator: " ").contains("0") && !core.contains("unlimited"))
      }
    }

    @Test func `a message about a bad request does not repeat its credentials`() async throws {
      try await withServer { server in
        var request = CreateVolumeRequest.named("v")
        request.secrets = SecretMap([Self.sentinel: String(repeating: Self.sentinel, count: 400)])
        do {
          let volume = try await server.create(request)
          try await server.delete(volume)
        } catch let status as Status {
          #expect(!status.message.contains(Self.sentinel))
        }
        #expect(!server.log.contains(Self.sentinel))
      }
    }
  }
}
