import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "GetCapacity".
  @Suite struct Capacity {
    private func capacity(_ server: Server, _ request: GetCapacityRequest = .init()) async throws -> GetCapacityResponse
    {
      try await server.call(Methods.getCapacity, request)
    }

    /// What is there to give out: the data directory's file system (`on: .ext4`), or the pool.
    private var whole: Int64 { Backend.underTest == .lvm ? VolumeGroup.poolSize : 1 << 30 }

    @Test func `an empty request tells what there is`() async throws {
      try await withServer(on: .ext4) { server in
        let answer = try await capacity(server)
        #expect(answer.availableCapacity > whole / 2)
        #expect(answer.availableCapacity <= whole)
        #expect(try #require(answer.maximumVolumeSize) > 0)
        #expect(try #require(answer.minimumVolumeSize) >= 1)
      }
    }

    @Test func `a volume that is promised lowers what is available and its end raises it`() async throws {
      try await withServer(on: .ext4) { server in
        let before = try await capacity(server).availableCapacity
        let volume = try await server.create(.named("v", bytes: mib(256), .block()))
        let during = try await capacity(server).availableCapacity
        #expect(during <= before - mib(250))
        try await server.delete(volume)
        #expect(try await capacity(server).availableCapacity > during + mib(200))
      }
    }

    @Test func `an overprovision ratio multiplies what is promised`() async throws {
      try await withServer(.configured(overprovision: 10), on: .ext4) { server in
        let answer = try await capacity(server)
        #expect(answer.availableCapacity > 5 * whole)
      }
    }

    @Test func `what is told as available can be created and no more`() async throws {
      try await withServer(on: .ext4) { server in
        let available = try await capacity(server).availableCapacity
        try await server.refuses(
          .resourceExhausted, .outOfRange, by: Methods.createVolume,
          .named("more", bytes: available + mib(64), .block()))
        let volume = try await server.create(
          .named("all", bytes: available / Backend.underTest.sizeUnit * Backend.underTest.sizeUnit, .block()))
        #expect(try await capacity(server).availableCapacity >= 0)
        try await server.delete(volume)
      }
    }

    @Test func `parameters of a class are taken as the provisioner sends them, prefixed keys and all`() async throws {
      try await withServer { server in
        let answer = try await capacity(
          server,
          GetCapacityRequest(
            parameters: [
              "csi.storage.k8s.io/fstype": "xfs", "csi.storage.k8s.io/provisioner-secret-name": "s",
            ].merging(Backend.underTest.parameters) { one, _ in one },
            accessibleTopology: Topology(segments: [Server.topologyKey: "node-1"])))
        #expect(answer.availableCapacity > 0)
      }
    }

    @Test func `what nothing can satisfy has no capacity and is no error`() async throws {
      try await withServer { server in
        for request in [
          GetCapacityRequest(accessibleTopology: Topology(segments: [Server.topologyKey: "node-2"])),
          GetCapacityRequest(volumeCapabilities: [.mount("ext4", .multiNodeMultiWriter)]),
          GetCapacityRequest(parameters: ["unknown": "key"]),
        ] {
          let answer = try await capacity(server, request)
          #expect(answer.availableCapacity == 0)
        }
      }
    }
  }
}
