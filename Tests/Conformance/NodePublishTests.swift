import CSI
import GRPC
import Glibc
import Testing

extension Conformance {
  /// Sections "NodePublishVolume" and "NodeUnpublishVolume" for file systems.
  @Suite struct NodePublish {
    @Test func `volume, target and capability are required before anything is looked up`() async throws {
      try await withServer { server in
        let publish = Methods.nodePublishVolume
        let path = server.work + "/target"
        try await server.refuses(
          .invalidArgument, by: publish,
          .init(stagingTargetPath: server.work, targetPath: path, volumeCapability: .mount()))
        try await server.refuses(
          .invalidArgument, by: publish,
          .init(volumeID: "missing", stagingTargetPath: server.work, volumeCapability: .mount()))
        try await server.refuses(
          .invalidArgument, by: publish,
          .init(volumeID: "missing", stagingTargetPath: server.work, targetPath: path))
        try await server.refuses(.invalidArgument, by: Methods.nodeUnpublishVolume, .init(volumeID: "missing"))
        try await server.refuses(.invalidArgument, by: Methods.nodeUnpublishVolume, .init(targetPath: path))
      }
    }

    @Test func `an unknown volume is not found`() async throws {
      try await withServer { server in
        let node = NodeVolume(server, Volume(volumeID: "missing"))
        try await server.refuses(.notFound, by: Methods.nodePublishVolume, node.publishRequest())
        #expect(!Files.exists(node.target()))
      }
    }

    @Test func `without a staging path or without being staged the state forbids it`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        var request = node.publishRequest()
        request.stagingTargetPath = ""
        try await server.refuses(.failedPrecondition, by: Methods.nodePublishVolume, request)
        try await server.refuses(.failedPrecondition, by: Methods.nodePublishVolume, node.publishRequest())
        #expect(!Files.exists(node.target()))
        #expect(server.mounts.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test(arguments: ["ext4", "xfs", "btrfs"])
    func `ten equal calls mount once and the target is gone after ten ends`(fsType: String) async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", bytes: fsType == "ext4" ? mib(16) : mib(320), .mount(fsType))
        try await node.stage()
        for _ in 0..<10 { try await node.publish() }
        #expect(server.mounts(at: node.target()).count == 1)
        try Files.write("x", to: node.target() + "/file")
        for _ in 0..<10 { try await node.unpublish() }
        #expect(!Files.exists(node.target()))
        #expect(server.mounts(at: node.staging).count == 1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a target that is there already as an empty directory is used`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        Files.makeDirectory(node.target())
        try await node.whilePublished { try Files.write("x", to: $0 + "/file") }
        #expect(!Files.exists(node.target()))
        try await server.delete(node.volume)
      }
    }

    @Test func `a read-only publication lets nobody write and leaves others writable`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        try await node.publish(1)
        try await node.publish(2, readonly: true)
        try Files.write("x", to: node.target(1) + "/file")
        #expect(Files.text(node.target(2) + "/file") == "x")
        #expect(throws: FileFailure.self) { try Files.write("y", to: node.target(2) + "/file") }
        #expect(try #require(server.mounts(at: node.target(2)).first).isReadOnly)
        try await node.unpublish(2)
        try await node.unpublish(1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `the group of a mount owns the root and new files inherit it`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .mount("ext4", group: "4242"))
        try await node.whilePublished { path in
          let root = try #require(Files.status(path))
          #expect(root.st_gid == 4242)
          #expect(root.st_mode & S_ISGID != 0)
          #expect(root.st_mode & 0o070 == 0o070)
          try Files.write("x", to: path + "/file")
          #expect(Files.status(path + "/file")?.st_gid == 4242)
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `ending what is unknown or was never published succeeds`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.unpublish()
        try await server.call(
          Methods.nodeUnpublishVolume,
          NodeUnpublishVolumeRequest(volumeID: "missing", targetPath: server.work + "/never/there"))
        try await server.delete(node.volume)
        try await node.unpublish()
      }
    }

    @Test func `a token that changes in the context does not disturb a publication`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        for token in ["one", "two"] {
          var request = node.publishRequest()
          request.volumeContext["csi.storage.k8s.io/serviceAccount.tokens"] = token
          request.volumeContext["csi.storage.k8s.io/pod.name"] = "pod"
          request.volumeContext["storage.kubernetes.io/csiProvisionerIdentity"] = "1-8081-x"
          try await server.call(Methods.nodePublishVolume, request)
        }
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `paths longer than 128 bytes are served`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        var path = server.work
        for _ in 0..<3 {
          path += "/" + String(repeating: "d", count: 200)
          Files.makeDirectory(path)
        }
        var stage = node.stageRequest
        stage.stagingTargetPath = path
        var publish = node.publishRequest()
        publish.stagingTargetPath = path
        publish.targetPath = path + ".target"
        try await server.call(Methods.nodeStageVolume, stage)
        try await server.call(Methods.nodePublishVolume, publish)
        try Files.write("x", to: publish.targetPath + "/file")
        try await server.call(
          Methods.nodeUnpublishVolume,
          NodeUnpublishVolumeRequest(volumeID: node.volume.volumeID, targetPath: publish.targetPath))
        try await server.call(
          Methods.nodeUnstageVolume,
          NodeUnstageVolumeRequest(volumeID: node.volume.volumeID, stagingTargetPath: path))
        try await server.delete(node.volume)
      }
    }
  }
}
