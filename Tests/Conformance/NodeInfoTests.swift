import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "NodeGetInfo".
  @Suite struct NodeInfo {
    @Test func `the node tells its id, its place and no limit`() async throws {
      try await withServer { server in
        let info = try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest())
        #expect(info.nodeID == "node-1")
        #expect(info.maxVolumesPerNode == 0)
        #expect(info.accessibleTopology?.segments == [Server.topologyKey: "node-1"])
      }
    }

    @Test func `a limit of volumes can be configured`() async throws {
      try await withServer(.configured("maxVolumesPerNode: 42")) { server in
        let info = try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest())
        #expect(info.maxVolumesPerNode == 42)
      }
    }

    @Test func `the answer is the same after a restart`() async throws {
      try await withServer { server in
        let before = try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest())
        try await server.restart()
        #expect(try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest()) == before)
      }
    }

    @Test func `topology keys and values keep to 63 characters`() async throws {
      try await withServer { server in
        let segments = try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest()).accessibleTopology?.segments
        for (key, value) in try #require(segments) {
          let parts = key.split(separator: "/")
          #expect(parts.count == 2)
          #expect(parts.allSatisfy { (1...63).contains($0.utf8.count) })
          #expect((1...63).contains(value.utf8.count))
        }
      }
    }
  }
}
