import CSI
import GRPC
import Testing

extension Conformance {
  /// Raw block volumes on a node.
  @Suite struct NodeBlock {
    @Test func `the target is a device of the volume's exact size that keeps what is written`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        for round in 0..<2 {
          try await node.whilePublished { path in
            #expect(Files.isBlockDevice(path))
            #expect(Files.size(path) == mib(16))
            if round == 0 { try Files.write(Array("raw".utf8), to: path, at: 1 << 20) }
            #expect(Files.bytes(path, at: 1 << 20, count: 3) == Array("raw".utf8))
          }
          #expect(!Files.exists(node.target()))
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `ten equal calls of each kind leave one device and then none`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        for _ in 0..<10 { try await node.stage() }
        for _ in 0..<10 { try await node.publish() }
        #expect(server.mounts(at: node.target()).count == 1)
        #expect(server.devices.count == 1)
        for _ in 0..<10 { try await node.unpublish() }
        for _ in 0..<10 { try await node.unstage() }
        #expect(server.mounts.isEmpty)
        #expect(server.devices.isEmpty)
        #expect(Files.isDirectory(node.staging))
        #expect(Files.names(node.staging).isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `a read-only publication is a device that refuses writes beside one that takes them`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block(.singleNodeMultiWriter))
        try await node.stage()
        try await node.publish(1)
        try await node.publish(2, readonly: true)
        try await node.publish(2, readonly: true)
        try Files.write(Array("raw".utf8), to: node.target(1))
        #expect(Files.isBlockDevice(node.target(2)))
        #expect(Files.size(node.target(2)) == mib(16))
        #expect(throws: FileFailure.self) { try Files.write(Array("no!".utf8), to: node.target(2)) }
        #expect(Files.bytes(node.target(1), count: 3) == Array("raw".utf8))
        try await node.unpublish(2)
        #expect(!Files.exists(node.target(2)))
        try Files.write(Array("RAW".utf8), to: node.target(1))
        try await node.unpublish(1)
        try await node.unstage()
        #expect(server.devices.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `a target that is there already as an empty file is used`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        try Files.write("", to: node.target())
        try await node.whilePublished { #expect(Files.isBlockDevice($0)) }
        try await server.delete(node.volume)
      }
    }

    @Test func `statistics of a device tell its size and nothing of inodes`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.whilePublished { path in
          let usage = try await server.call(
            Methods.nodeGetVolumeStats,
            NodeGetVolumeStatsRequest(volumeID: node.volume.volumeID, volumePath: path)
          ).usage
          #expect(usage.map(\.unit) == [.bytes])
          #expect(usage.map(\.total) == [mib(16)])
        }
        try await server.delete(node.volume)
      }
    }
  }
}
