import CSI
import GRPC
import Glibc
import Host
import Testing

extension Conformance {
  /// Paths that lead elsewhere, mounts that pile up and mounts that are dead.
  @Suite struct NodePaths {
    @Test(arguments: ["relative/path", "../escape", ""])
    func `a path that is not absolute is invalid`(path: String) async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        var stage = node.stageRequest
        stage.stagingTargetPath = path
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, stage)
        try await node.stage()
        var publish = node.publishRequest()
        publish.targetPath = path
        try await server.refuses(.invalidArgument, by: Methods.nodePublishVolume, publish)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a path with a parent step in it is invalid`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        var publish = node.publishRequest()
        publish.targetPath = server.work + "/../work/target"
        try await server.refuses(.invalidArgument, by: Methods.nodePublishVolume, publish)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a path beyond PATH_MAX is invalid`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        var stage = node.stageRequest
        stage.stagingTargetPath = "/" + String(repeating: "d/", count: 2048)
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, stage)
        try await server.delete(node.volume)
      }
    }

    @Test func `allowed directories are kept to, also through symbolic links`() async throws {
      let allowed = "/tmp/stow-allowed-\(getpid())"
      Files.makeDirectory(allowed)
      defer { rmdir(allowed) }
      try await withServer(.configured("allowedPaths: [\(allowed)]")) { server in
        let node = try await server.nodeVolume("v")
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, node.stageRequest)
        let link = allowed + "/link"
        #expect(symlink(server.work, link) == 0)
        defer { unlink(link) }
        var stage = node.stageRequest
        stage.stagingTargetPath = link + "/inside"
        Files.makeDirectory(server.work + "/inside")
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, stage)
        #expect(server.mounts.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `a target that is a symbolic link is not followed, neither to mount nor to remove`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        let elsewhere = server.work + "/elsewhere"
        Files.makeDirectory(elsewhere)
        #expect(symlink(elsewhere, node.target()) == 0)
        try await node.stage()
        try await server.refuses(
          .invalidArgument, .failedPrecondition, .internal, by: Methods.nodePublishVolume, node.publishRequest())
        #expect(server.mounts(at: elsewhere).isEmpty)
        do { try await node.unpublish() } catch is Status {}
        #expect(Files.isDirectory(elsewhere))
        unlink(node.target())
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a directory that holds files is never removed with them`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        Files.makeDirectory(node.target())
        try Files.write("precious", to: node.target() + "/file")
        do { try await node.unpublish() } catch is Status {}
        #expect(Files.text(node.target() + "/file") == "precious")
        try await server.delete(node.volume)
      }
    }

    @Test func `a pile of mounts on the target is taken down whole`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        try await node.publish()
        for _ in 0..<3 { try Mount.bind(node.staging, at: node.target(), readOnly: false) }
        #expect(server.mounts(at: node.target()).count == 4)
        try await node.unpublish()
        #expect(server.mounts(at: node.target()).isEmpty)
        #expect(!Files.exists(node.target()))
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a dead mount on the target is taken down and hangs nobody`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        try await node.publish()
        // A file system in user space whose server never answers the first question.
        let device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        try #require(device >= 0)
        defer { close(device) }
        try #require(
          mount("dead", node.target(), "fuse", 0, "fd=\(device),rootmode=40000,user_id=0,group_id=0") == 0)
        let other = try await server.nodeVolume("other")
        try await other.whilePublished { path in
          try await server.call(
            Methods.nodeGetVolumeStats, .init(volumeID: other.volume.volumeID, volumePath: path),
            timeout: Patience.seconds(10))
        }
        do {
          try await server.call(
            Methods.nodeGetVolumeStats, .init(volumeID: node.volume.volumeID, volumePath: node.target()),
            timeout: Patience.seconds(40))
          Issue.record("a dead mount has statistics")
        } catch let status as Status {
          #expect(status.code != .deadlineExceeded, "the server itself must answer")
        }
        try await server.call(Methods.nodeUnpublishVolume, node.unpublishRequest(), timeout: Patience.seconds(40))
        #expect(!Files.exists(node.target()))
        try await node.unstage()
        try await server.delete(node.volume, other.volume)
      }
    }
  }
}
