import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "ControllerExpandVolume".
  @Suite struct ControllerExpand {
    private func request(_ id: String, _ range: CapacityRange?, _ capability: VolumeCapability? = nil)
      -> ControllerExpandVolumeRequest
    {
      ControllerExpandVolumeRequest(volumeID: id, capacityRange: range, volumeCapability: capability)
    }

    @Test func `volume and range are required`() async throws {
      try await withServer { server in
        let expand = Methods.controllerExpandVolume
        try await server.refuses(.invalidArgument, by: expand, request("", .atLeast(mib(32))))
        try await server.refuses(.invalidArgument, by: expand, request("missing", nil))
        let volume = try await server.create(.named("v"))
        try await server.refuses(.invalidArgument, by: expand, request(volume.volumeID, CapacityRange()))
        try await server.refuses(.invalidArgument, by: expand, request(volume.volumeID, .atLeast(-1)))
        try await server.delete(volume)
      }
    }

    @Test func `an unknown volume is not found`() async throws {
      try await withServer { server in
        try await server.refuses(
          .notFound, by: Methods.controllerExpandVolume, request("missing", .atLeast(mib(32))))
      }
    }

    @Test func `the answer is the size that was asked and a file system must still grow`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for _ in 0..<10 {
          let answer = try await server.call(
            Methods.controllerExpandVolume, request(volume.volumeID, .atLeast(mib(32)), .mount()))
          #expect(answer.capacityBytes == mib(32))
          #expect(answer.nodeExpansionRequired)
        }
        let listed = try await server.call(Methods.listVolumes, ListVolumesRequest()).entries.first?.volume
        #expect(listed?.capacityBytes == mib(32))
        try await server.delete(volume)
      }
    }

    @Test func `a smaller target is satisfied already and nothing shrinks`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", bytes: mib(32)))
        let answer = try await server.call(
          Methods.controllerExpandVolume, request(volume.volumeID, .atLeast(mib(16))))
        #expect(answer.capacityBytes == mib(32))
        try await server.delete(volume)
      }
    }

    @Test func `a limit that cannot be kept and a size past the largest are out of range`() async throws {
      try await withServer(.configured(backend: ["maximumSize: 64Mi", "defaultSize: 16Mi"])) { server in
        let volume = try await server.create(.named("v"))
        let expand = Methods.controllerExpandVolume
        try await server.refuses(.outOfRange, by: expand, request(volume.volumeID, .atLeast(mib(65))))
        try await server.refuses(.outOfRange, by: expand, request(volume.volumeID, .exactly(mib(32) + 1)))
        try await server.refuses(
          .outOfRange, by: expand, request(volume.volumeID, CapacityRange(limitBytes: mib(8))))
        try await server.refuses(
          .outOfRange, .invalidArgument, by: expand,
          request(volume.volumeID, CapacityRange(requiredBytes: mib(32), limitBytes: mib(24))))
        let listed = try await server.call(Methods.listVolumes, ListVolumesRequest()).entries.first?.volume
        #expect(listed?.capacityBytes == mib(16))
        try await server.delete(volume)
      }
    }

    @Test func `growth that there is no room for exhausts the resource and a later smaller one works`()
      async throws
    {
      try await withServer(on: .ext4) { server in
        let volume = try await server.create(.named("v"))
        try await server.refuses(
          .resourceExhausted, by: Methods.controllerExpandVolume, request(volume.volumeID, .atLeast(1 << 40)))
        let answer = try await server.call(
          Methods.controllerExpandVolume, request(volume.volumeID, .atLeast(mib(32))))
        #expect(answer.capacityBytes == mib(32))
        try await server.delete(volume)
      }
    }

    @Test func `a capability that does not fit the volume is invalid`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.refuses(
          .invalidArgument, by: Methods.controllerExpandVolume,
          request(volume.volumeID, .atLeast(mib(32)), .block()))
        try await server.delete(volume)
      }
    }

    @Test func `a raw volume in use grows under its user`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.stage()
        try await node.publish()
        let answer = try await server.call(
          Methods.controllerExpandVolume, request(node.volume.volumeID, .atLeast(mib(32)), .block()))
        #expect(answer.capacityBytes == mib(32))
        if answer.nodeExpansionRequired {
          try await server.call(
            Methods.nodeExpandVolume,
            NodeExpandVolumeRequest(volumeID: node.volume.volumeID, volumePath: node.target()))
        }
        #expect(Files.size(node.target()) == mib(32))
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a volume that grew while unused shows its size when it is next staged`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { try Files.write("kept", to: $0 + "/file") }
        try await server.call(
          Methods.controllerExpandVolume, request(node.volume.volumeID, .atLeast(mib(64)), .mount()))
        try await node.stage()
        try await node.publish()
        try await server.call(
          Methods.nodeExpandVolume,
          NodeExpandVolumeRequest(volumeID: node.volume.volumeID, volumePath: node.target()))
        #expect(Files.filesystemSize(node.target()) > mib(48))
        #expect(Files.text(node.target() + "/file") == "kept")
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }
  }
}
