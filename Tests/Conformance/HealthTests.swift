import CSI
import GRPC
import Glibc
import Testing

extension Conformance {
  /// ControllerGetVolume, volume conditions and the health calls of CSI 1.13.
  @Suite struct Health {
    @Test func `a volume can be got by its id with status and condition`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let got = try await server.call(
          Methods.controllerGetVolume, ControllerGetVolumeRequest(volumeID: volume.volumeID))
        #expect(got.volume == volume)
        let condition = try #require(got.status?.volumeCondition)
        #expect(!condition.abnormal)
        #expect(!condition.message.isEmpty)
        try await server.refuses(.invalidArgument, by: Methods.controllerGetVolume, ControllerGetVolumeRequest())
        try await server.refuses(
          .notFound, by: Methods.controllerGetVolume, ControllerGetVolumeRequest(volumeID: "missing"))
        try await server.delete(volume)
      }
    }

    private static let losing: Applicability = .onlyFor(
      .file, "the data of a logical volume cannot be taken away behind its group's back; DeviceMapperTests fails disks")

    /// Takes the data of a volume away behind the server's back.
    private func lose(_ volume: Volume, of server: Server) throws {
      let file = try #require(
        Files.tree(server.data).first {
          $0.contains("/\(volume.volumeID)/") && Files.size($0) == volume.capacityBytes
        })
      #expect(unlink(file) == 0)
    }

    @Test(losing)
    func `a volume whose data is gone is told as abnormal and still deleted`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .block()))
        let healthy = try await server.create(.named("w", .block()))
        try lose(volume, of: server)
        let got = try await server.call(
          Methods.controllerGetVolume, ControllerGetVolumeRequest(volumeID: volume.volumeID))
        #expect(try #require(got.status?.volumeCondition).abnormal)
        let entries = try await server.call(Methods.listVolumes, ListVolumesRequest()).entries
        let abnormal = entries.filter { $0.status?.volumeCondition?.abnormal == true }
        #expect(abnormal.compactMap(\.volume?.volumeID) == [volume.volumeID])
        try await server.delete(volume, healthy)
      }
    }

    @Test(losing)
    func `the health calls list the ill ones only and tell why`() async throws {
      try await withServer(.configured("advertise113: true")) { server in
        let volume = try await server.create(.named("v", .block()))
        let healthy = try await server.create(.named("w", .block()))
        #expect(
          try await server.call(Methods.controllerListVolumeHealth, ControllerListVolumeHealthRequest())
            .entries.isEmpty)
        try lose(volume, of: server)
        // Lists may show what was true some seconds ago.
        var ill: [String] = []
        for _ in 0..<100 where ill.isEmpty {
          try await Task.sleep(for: .milliseconds(100))
          ill = try await server.call(Methods.controllerListVolumeHealth, ControllerListVolumeHealthRequest())
            .entries.map(\.volumeID)
        }
        #expect(ill == [volume.volumeID])
        let got = try await server.call(
          Methods.controllerGetVolumeHealth, ControllerGetVolumeHealthRequest(volumeID: volume.volumeID))
        let health = try #require(got.volumeHealth)
        #expect(!health.healthStatuses.isEmpty)
        for status in health.healthStatuses {
          #expect(status.reason.wholeMatch(of: /[A-Z][A-Za-z0-9]*/) != nil)
          #expect(!status.message.isEmpty)
        }
        #expect(Set(health.healthStatuses.map { "\($0.status) \($0.reason)" }).count == health.healthStatuses.count)
        let well = try await server.call(
          Methods.controllerGetVolumeHealth, ControllerGetVolumeHealthRequest(volumeID: healthy.volumeID))
        #expect(try #require(well.volumeHealth).healthStatuses.isEmpty)
        try await server.delete(volume, healthy)
      }
    }

    @Test func `health calls need what they name`() async throws {
      try await withServer(.configured("advertise113: true")) { server in
        try await server.refuses(
          .invalidArgument, by: Methods.controllerGetVolumeHealth, ControllerGetVolumeHealthRequest())
        try await server.refuses(
          .notFound, by: Methods.controllerGetVolumeHealth, ControllerGetVolumeHealthRequest(volumeID: "missing"))
        try await server.refuses(.invalidArgument, by: Methods.nodeGetVolumeHealth, NodeGetVolumeHealthRequest())
        try await server.refuses(
          .aborted, by: Methods.controllerListVolumeHealth,
          ControllerListVolumeHealthRequest(startingToken: "invalid-token"))
        try await server.refuses(
          .invalidArgument, by: Methods.controllerListVolumeHealth, ControllerListVolumeHealthRequest(maxEntries: -1))
      }
    }

    @Test func `the node tells the health of a published volume`() async throws {
      try await withServer(.configured("advertise113: true")) { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { path in
          let answer = try await server.call(
            Methods.nodeGetVolumeHealth,
            NodeGetVolumeHealthRequest(
              volumeID: node.volume.volumeID, volumePublishPath: path, stagingTargetPath: node.staging))
          #expect(try #require(answer.volumeHealth).healthStatuses.isEmpty)
        }
        try await server.delete(node.volume)
      }
    }
  }
}
