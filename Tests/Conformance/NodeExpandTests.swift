import CSI
import GRPC
import Host
import Testing

extension Conformance {
  /// Section "NodeExpandVolume".
  @Suite struct NodeExpand {
    private func grow(_ server: Server, _ node: NodeVolume, to bytes: Int64) async throws {
      try await server.call(
        Methods.controllerExpandVolume,
        ControllerExpandVolumeRequest(
          volumeID: node.volume.volumeID, capacityRange: .atLeast(bytes), volumeCapability: node.capability))
    }

    @Test func `volume and path are required`() async throws {
      try await withServer { server in
        try await server.refuses(
          .invalidArgument, by: Methods.nodeExpandVolume, .init(volumePath: "some/path"))
        try await server.refuses(.invalidArgument, by: Methods.nodeExpandVolume, .init(volumeID: "missing"))
      }
    }

    @Test func `an unknown volume and a path without the volume are not found`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for (id, path) in [
          ("missing", "some/path"), ("missing", server.work), (volume.volumeID, server.work),
          (volume.volumeID, "some/path"),
        ] {
          try await server.refuses(
            .notFound, by: Methods.nodeExpandVolume, .init(volumeID: id, volumePath: path))
        }
        try await server.delete(volume)
      }
    }

    /// The kernel lets only CAP_SYS_RESOURCE grow a mounted ext4, which not every machine gives to its root.
    static let growsInUse = Privileges.has(.sysResource) ? ["ext4", "xfs", "btrfs"] : ["xfs", "btrfs"]

    @Test(arguments: growsInUse, [true, false])
    func `a file system grows in use, told by its target or its staging path`(
      fsType: String, byTarget: Bool
    ) async throws {
      try await withServer { server in
        let size = mib(320)
        let node = try await server.nodeVolume("v", bytes: size, .mount(fsType))
        try await node.whilePublished { path in
          try Files.write("kept", to: path + "/file")
          let before = Files.filesystemSize(path)
          try await grow(server, node, to: size + mib(64))
          for _ in 0..<10 {
            let answer = try await server.call(
              Methods.nodeExpandVolume,
              NodeExpandVolumeRequest(
                volumeID: node.volume.volumeID, volumePath: byTarget ? path : node.staging,
                capacityRange: .atLeast(size + mib(64))))
            #expect(answer.capacityBytes == 0 || answer.capacityBytes >= size + mib(64))
          }
          #expect(Files.filesystemSize(path) >= before + mib(48))
          #expect(Files.text(path + "/file") == "kept")
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `without a range the file system grows to its device`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", bytes: mib(320), .mount("xfs"))
        try await node.whilePublished { path in
          let before = Files.filesystemSize(path)
          try await grow(server, node, to: mib(400))
          try await server.call(
            Methods.nodeExpandVolume, .init(volumeID: node.volume.volumeID, volumePath: path))
          #expect(Files.filesystemSize(path) > before + mib(64))
        }
        try await server.delete(node.volume)
      }
    }

    @Test(.onlyWhere(!Privileges.has(.sysResource), else: "root may grow a mounted ext4 here"))
    func `an ext4 that cannot grow in use says so and grows when it is next staged`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { path in
          try Files.write("kept", to: path + "/file")
          try await grow(server, node, to: mib(64))
          try await server.refuses(
            .failedPrecondition, by: Methods.nodeExpandVolume,
            .init(volumeID: node.volume.volumeID, volumePath: path))
        }
        try await node.whilePublished { path in
          #expect(Files.filesystemSize(path) > mib(48))
          #expect(Files.text(path + "/file") == "kept")
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `a requirement beyond the volume is out of range`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { path in
          try await server.refuses(
            .outOfRange, by: Methods.nodeExpandVolume,
            .init(volumeID: node.volume.volumeID, volumePath: path, capacityRange: .atLeast(mib(64))))
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `a device grows under its path`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.whilePublished { path in
          try await grow(server, node, to: mib(32))
          let answer = try await server.call(
            Methods.nodeExpandVolume,
            NodeExpandVolumeRequest(
              volumeID: node.volume.volumeID, volumePath: path, capacityRange: .atLeast(mib(32))))
          #expect(answer.capacityBytes == 0 || answer.capacityBytes == mib(32))
          #expect(Files.size(path) == mib(32))
        }
        try await server.delete(node.volume)
      }
    }
  }
}
