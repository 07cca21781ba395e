import CSI
import GRPC
import Testing

extension Conformance {
  /// The table of second publications in section "NodePublishVolume": the same target or another, the same arguments
  /// or others.
  @Suite struct NodePublishTable {
    typealias Mode = VolumeCapability.Mode

    /// Stages and publishes for pod 1, lets `body` try more, takes back pods 1 and 2.
    private func afterPublishing(
      _ mode: Mode, _ body: (Server, NodeVolume) async throws -> Void
    ) async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .mount("ext4", mode)))
        // A volume for readers must have been written to before.
        try await NodeVolume(server, volume).whilePublished { try Files.write("x", to: $0 + "/file") }
        let node = NodeVolume(server, volume, .mount("ext4", mode))
        try await node.stage()
        try await node.publish(1)
        try await body(server, node)
        #expect(server.mounts(at: node.target(1)).count == 1, "the first publication stands")
        try await node.unpublish(2)
        try await node.unpublish(1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test(arguments: [Mode.singleNodeWriter, .singleNodeReaderOnly, .singleNodeSingleWriter, .singleNodeMultiWriter])
    func `the same target with the same arguments is served again`(mode: Mode) async throws {
      try await afterPublishing(mode) { server, node in
        try await node.publish(1)
      }
    }

    @Test(arguments: [Mode.singleNodeWriter, .singleNodeSingleWriter, .singleNodeMultiWriter])
    func `the same target with other arguments already exists`(mode: Mode) async throws {
      try await afterPublishing(mode) { server, node in
        try await server.refuses(
          .alreadyExists, by: Methods.nodePublishVolume, node.publishRequest(1, readonly: true))
      }
    }

    @Test func `the same target as a device already exists`() async throws {
      try await afterPublishing(.singleNodeWriter) { server, node in
        var request = node.publishRequest(1)
        request.volumeCapability = .block()
        try await server.refuses(
          .alreadyExists, .failedPrecondition, .invalidArgument, by: Methods.nodePublishVolume, request)
      }
    }

    @Test(arguments: [Mode.singleNodeWriter, .singleNodeReaderOnly, .singleNodeMultiWriter])
    func `another target is served where several pods may share the volume`(mode: Mode) async throws {
      try await afterPublishing(mode) { server, node in
        try await node.publish(2)
        #expect(server.mounts(at: node.target(2)).count == 1)
      }
    }

    @Test func `another target with other arguments is served for many writers`() async throws {
      try await afterPublishing(.singleNodeMultiWriter) { server, node in
        try await node.publish(2, readonly: true)
        #expect(try #require(server.mounts(at: node.target(2)).first).isReadOnly)
      }
    }

    @Test(arguments: [false, true])
    func `another target is forbidden to a single writer, whatever the arguments`(readonly: Bool) async throws {
      try await afterPublishing(.singleNodeSingleWriter) { server, node in
        try await server.refuses(
          .failedPrecondition, by: Methods.nodePublishVolume, node.publishRequest(2, readonly: readonly))
        #expect(!Files.exists(node.target(2)))
      }
    }

    @Test func `a single writer may come back after it has left`() async throws {
      try await afterPublishing(.singleNodeSingleWriter) { server, node in
        try await node.unpublish(1)
        try await node.publish(2)
        try await node.unpublish(2)
        try await node.publish(1)
      }
    }

    @Test func `a raw volume follows the same table`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block(.singleNodeSingleWriter))
        try await node.stage()
        try await node.publish(1)
        try await node.publish(1)
        try await server.refuses(
          .alreadyExists, by: Methods.nodePublishVolume, node.publishRequest(1, readonly: true))
        try await server.refuses(.failedPrecondition, by: Methods.nodePublishVolume, node.publishRequest(2))
        try await node.unpublish(1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }
  }
}
