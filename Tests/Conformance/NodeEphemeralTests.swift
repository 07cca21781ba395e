import CSI
import GRPC
import Testing

extension Conformance {
  /// Inline ephemeral volumes: NodePublishVolume and NodeUnpublishVolume alone, attributes from a pod's author.
  @Suite struct NodeEphemeral {
    private static let id = "csi-" + String(repeating: "0123456789abcdef", count: 4)

    private func request(
      _ server: Server, _ attributes: [String: String] = [:], _ capability: VolumeCapability = .mount()
    ) -> NodePublishVolumeRequest {
      NodePublishVolumeRequest(
        volumeID: Self.id, targetPath: server.work + "/target", volumeCapability: capability,
        volumeContext: attributes.merging([
          "csi.storage.k8s.io/ephemeral": "true", "csi.storage.k8s.io/pod.name": "pod",
          "csi.storage.k8s.io/pod.namespace": "default", "csi.storage.k8s.io/pod.uid": "uid",
          "csi.storage.k8s.io/serviceAccount.name": "default",
        ]) { one, _ in one })
    }

    private func end(_ server: Server) async throws {
      try await server.call(
        Methods.nodeUnpublishVolume,
        NodeUnpublishVolumeRequest(volumeID: Self.id, targetPath: server.work + "/target"))
    }

    @Test func `a volume comes with its pod and goes with it`() async throws {
      try await withServer { server in
        let request = request(server, ["size": "32Mi"])
        for _ in 0..<10 { try await server.call(Methods.nodePublishVolume, request) }
        #expect(server.mounts(at: request.targetPath).count == 1)
        try Files.write("scratch", to: request.targetPath + "/file")
        #expect(Files.filesystemSize(request.targetPath) <= mib(32))
        for _ in 0..<10 { try await end(server) }
        #expect(!Files.exists(request.targetPath))
        #expect(server.devices.isEmpty)
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `the next pod finds nothing of the last one`() async throws {
      try await withServer { server in
        let request = request(server, ["size": "32Mi"])
        try await server.call(Methods.nodePublishVolume, request)
        try Files.write("secret", to: request.targetPath + "/file")
        try await end(server)
        try await server.call(Methods.nodePublishVolume, request)
        #expect(!Files.exists(request.targetPath + "/file"))
        try await end(server)
      }
    }

    @Test func `statistics work as for any volume`() async throws {
      try await withServer { server in
        let request = request(server, ["size": "32Mi"])
        try await server.call(Methods.nodePublishVolume, request)
        let usage = try await server.call(
          Methods.nodeGetVolumeStats,
          NodeGetVolumeStatsRequest(volumeID: Self.id, volumePath: request.targetPath)
        ).usage
        #expect(usage.contains { $0.unit == .bytes && $0.total > 0 })
        try await end(server)
      }
    }

    @Test(arguments: [
      ["size": "-1"], ["size": "lots"], ["size": "99999999999999999999"], ["size": ""], ["colour": "green"],
      ["mkfsOptions": "-d /etc"], ["backend": "../x"],
    ])
    func `attributes that make no sense are invalid and leave nothing`(attributes: [String: String]) async throws {
      try await withServer { server in
        let request = request(server, attributes)
        try await server.refuses(.invalidArgument, by: Methods.nodePublishVolume, request)
        #expect(!Files.exists(request.targetPath))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a size that no pod may have is out of range`() async throws {
      try await withServer { server in
        try await server.refuses(
          .outOfRange, .resourceExhausted, by: Methods.nodePublishVolume, request(server, ["size": "1000Ti"]))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a device for a pod alone is refused`() async throws {
      try await withServer { server in
        try await server.refuses(
          .invalidArgument, by: Methods.nodePublishVolume, request(server, ["size": "32Mi"], .block()))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a pod cannot take an ordinary volume by its id`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("precious"))
        var request = request(server, ["size": "16Mi"])
        request.volumeID = volume.volumeID
        try await server.refuses(
          .alreadyExists, .failedPrecondition, .invalidArgument, by: Methods.nodePublishVolume, request)
        try await server.call(
          Methods.nodeUnpublishVolume,
          NodeUnpublishVolumeRequest(volumeID: volume.volumeID, targetPath: request.targetPath))
        #expect(try await server.volumeIDs() == [volume.volumeID])
        try await server.delete(volume)
      }
    }

    @Test func `a failed publication leaves no volume behind`() async throws {
      try await withServer { server in
        var request = request(server, ["size": "32Mi"])
        request.volumeCapability = .mount("ext4", flags: ["no_such_option=1"])
        try await server.refuses(
          .invalidArgument, .failedPrecondition, .internal, by: Methods.nodePublishVolume, request)
        try await end(server)
        #expect(server.devices.isEmpty)
        #expect(try await server.volumeIDs().isEmpty)
      }
    }
  }
}
