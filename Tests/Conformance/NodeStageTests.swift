import CSI
import GRPC
import Testing

extension Conformance {
  /// Sections "NodeStageVolume" and "NodeUnstageVolume".
  @Suite struct NodeStage {
    @Test func `volume, path and capability are required before anything is looked up`() async throws {
      try await withServer { server in
        let stage = Methods.nodeStageVolume
        try await server.refuses(
          .invalidArgument, by: stage, .init(stagingTargetPath: server.work, volumeCapability: .mount()))
        try await server.refuses(.invalidArgument, by: stage, .init(volumeID: "missing", volumeCapability: .mount()))
        try await server.refuses(
          .invalidArgument, by: stage, .init(volumeID: "missing", stagingTargetPath: server.work))
        try await server.refuses(.invalidArgument, by: Methods.nodeUnstageVolume, .init(volumeID: "missing"))
        try await server.refuses(
          .invalidArgument, by: Methods.nodeUnstageVolume, .init(stagingTargetPath: server.work))
      }
    }

    @Test func `an unknown volume is not found`() async throws {
      try await withServer { server in
        for id in ["missing", "..", "a/b"] {
          let node = NodeVolume(server, Volume(volumeID: id))
          try await server.refuses(.notFound, by: Methods.nodeStageVolume, node.stageRequest)
        }
      }
    }

    @Test(arguments: ["ext4", "xfs", "btrfs", ""])
    func `ten equal calls mount the volume once, ten unmount it`(fsType: String) async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", bytes: fsType == "ext4" ? mib(16) : mib(320), .mount(fsType))
        for _ in 0..<10 { try await node.stage() }
        let mounts = server.mounts(at: node.staging)
        #expect(mounts.count == 1)
        #expect(mounts.first?.type == (fsType.isEmpty ? "ext4" : fsType))
        #expect(server.devices.count == 1)
        for _ in 0..<10 { try await node.unstage() }
        #expect(server.mounts.isEmpty)
        #expect(server.devices.isEmpty)
        #expect(Files.isDirectory(node.staging), "the directory is the CO's")
        try await server.delete(node.volume)
      }
    }

    @Test func `what was written is there when it is staged again, and it is not formatted twice`() async throws {
      try await withServer { server in
        for fsType in ["ext4", "xfs", "btrfs"] {
          let node = try await server.nodeVolume(
            "v-\(fsType)", bytes: fsType == "ext4" ? mib(16) : mib(320), .mount(fsType))
          try await node.stage()
          try Files.write(fsType, to: node.staging + "/file")
          try await node.unstage()
          try await node.stage()
          #expect(Files.text(node.staging + "/file") == fsType)
          try await node.unstage()
          try await server.delete(node.volume)
        }
      }
    }

    @Test func `another capability on the same path already exists`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.stage()
        for other in [VolumeCapability.block(), .mount("ext4", flags: ["noatime", "nodiratime"]), .mount("xfs")] {
          var request = node.stageRequest
          request.volumeCapability = other
          try await server.refuses(
            .alreadyExists, .failedPrecondition, .invalidArgument, by: Methods.nodeStageVolume, request)
        }
        #expect(server.mounts(at: node.staging).count == 1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a capability that the volume was not made for is refused`() async throws {
      try await withServer { server in
        var mounted = try await server.nodeVolume("mounted")
        for capability in [VolumeCapability.block(), .mount("ext4", .multiNodeMultiWriter), .mount("xfs")] {
          mounted.capability = capability
          try await server.refuses(.failedPrecondition, by: Methods.nodeStageVolume, mounted.stageRequest)
        }
        #expect(server.mounts.isEmpty)
        #expect(server.devices.isEmpty)
        try await server.delete(mounted.volume)
      }
    }

    @Test func `mount flags reach the mount`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .mount("ext4", flags: ["noatime", "nosuid", "commit=17"]))
        try await node.stage()
        let mount = try #require(server.mounts(at: node.staging).first)
        #expect(mount.options.contains("noatime"))
        #expect(mount.options.contains("nosuid"))
        #expect(mount.superOptions.contains("commit=17"))
        try await node.stage()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a mount flag that the kernel does not know is refused and nothing stays mounted`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .mount("ext4", flags: ["no_such_option=1"]))
        try await server.refuses(
          .invalidArgument, .failedPrecondition, .internal, by: Methods.nodeStageVolume, node.stageRequest)
        #expect(server.mounts.isEmpty)
        try await node.unstage()
        #expect(server.devices.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `an SELinux context goes to the mount, which a kernel without SELinux refuses`() async throws {
      try await withServer { server in
        let context = #"context="system_u:object_r:container_file_t:s0:c1,c2""#
        let node = try await server.nodeVolume("v", .mount("ext4", flags: [context]))
        if Files.exists("/sys/fs/selinux/enforce") {
          try await node.stage()
          let options = try #require(server.mounts(at: node.staging).first).superOptions
          #expect(options.contains { $0.hasPrefix("context=") })
        } else {
          try await server.refuses(
            .invalidArgument, .failedPrecondition, .internal, by: Methods.nodeStageVolume, node.stageRequest)
          #expect(server.mounts.isEmpty)
        }
        try await node.unstage()
        #expect(server.devices.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `a reader's volume is mounted for reading`() async throws {
      try await withServer { server in
        var node = try await server.nodeVolume("v")
        try await node.whilePublished { try Files.write("x", to: $0 + "/file") }
        node.capability = .mount("ext4", .singleNodeReaderOnly)
        try await node.stage()
        try await node.publish()
        #expect(Files.text(node.target() + "/file") == "x")
        #expect(throws: FileFailure.self) { try Files.write("y", to: node.target() + "/file") }
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `an empty volume is not formatted for a reader`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .mount("ext4", .singleNodeReaderOnly))
        try await server.refuses(.failedPrecondition, by: Methods.nodeStageVolume, node.stageRequest)
        #expect(server.devices.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `unstaging what is unknown or was never staged succeeds`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.unstage()
        for path in [node.staging, server.work + "/never"] {
          try await server.call(
            Methods.nodeUnstageVolume, NodeUnstageVolumeRequest(volumeID: "missing", stagingTargetPath: path))
        }
        try await server.delete(node.volume)
        try await node.unstage()
      }
    }

    @Test func `a volume whose device holds something else is never formatted`() async throws {
      try await withServer { server in
        let raw = try await server.nodeVolume("raw", .block())
        // A partition table of DOS: one entry and the signature.
        var table = [UInt8](repeating: 0, count: 512)
        table[450] = 0x83
        table[454] = 1
        table[458] = 64
        table[510] = 0x55
        table[511] = 0xAA
        try await raw.whilePublished { path in try Files.write(table, to: path) }
        let copy = try await server.create(.named("copy", .mount(), from: .volume(raw.volume.volumeID)))
        let node = NodeVolume(server, copy)
        try await server.refuses(
          .failedPrecondition, .internal, .invalidArgument, by: Methods.nodeStageVolume, node.stageRequest)
        try await node.unstage()
        try await server.delete(raw.volume, copy)
      }
    }
  }
}
