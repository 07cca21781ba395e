import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "NodeGetVolumeStats".
  @Suite struct NodeStats {
    private func request(_ id: String, _ path: String) -> NodeGetVolumeStatsRequest {
      NodeGetVolumeStatsRequest(volumeID: id, volumePath: path)
    }

    @Test func `volume and path are required`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.nodeGetVolumeStats, request("", "some/path"))
        try await server.refuses(.invalidArgument, by: Methods.nodeGetVolumeStats, request("missing", ""))
      }
    }

    @Test func `an unknown volume and a path without the volume are not found`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        let id = node.volume.volumeID
        for (id, path) in [
          ("missing", "some/path"), ("missing", server.work), (id, "some/path"), (id, server.work),
          (id, server.work + "/never"), (id, "/"),
        ] {
          try await server.refuses(.notFound, by: Methods.nodeGetVolumeStats, request(id, path))
        }
        let other = try await server.nodeVolume("other")
        try await other.whilePublished { path in
          try await server.refuses(.notFound, by: Methods.nodeGetVolumeStats, request(id, path))
        }
        try await server.delete(node.volume, other.volume)
      }
    }

    @Test(arguments: ["ext4", "xfs", "btrfs"])
    func `bytes and inodes follow what is written, at the target and the staging path`(fsType: String) async throws {
      try await withServer { server in
        let size = mib(320)
        let node = try await server.nodeVolume("v", bytes: size, .mount(fsType))
        try await node.whilePublished { path in
          func usage(_ path: String) async throws -> [VolumeUsage.Unit: VolumeUsage] {
            let answer = try await server.call(Methods.nodeGetVolumeStats, request(node.volume.volumeID, path))
            #expect(answer.volumeCondition?.abnormal == false)
            return Dictionary(answer.usage.map { ($0.unit, $0) }, uniquingKeysWith: { one, _ in one })
          }
          let before = try #require(try await usage(path)[.bytes])
          #expect(before.total > 0 && before.total <= size)
          #expect(before.used >= 0 && before.available > 0)
          #expect(before.used + before.available <= before.total)
          try Files.write([UInt8](repeating: 7, count: 8 << 20), to: path + "/file")
          // Space is counted when it is allocated, which btrfs does at a commit.
          try await Program.need("sync", "-f", path)
          for place in [path, node.staging] {
            let after = try await usage(place)
            #expect(try #require(after[.bytes]).used >= before.used + mib(7))
            #expect(after[.inodes] != nil)
          }
        }
        try await server.delete(node.volume)
      }
    }
  }
}
