import CSI
import GRPC
import Testing

extension Conformance {
  /// `expansion: node`: the node makes volumes larger alone, and `--mode all` tells what distributed provisioning needs.
  @Suite struct NodeOnlyExpansion {
    private static let isOnLVM = Backend.underTest == .lvm
    private static let maximum: Int64 = isOnLVM ? 1 << 40 : 1 << 30
    private static let options = ServerOptions.configured("expansion: node", backend: ["maximumSize: \(maximum)"])

    private func expand(_ node: NodeVolume, _ path: String, _ range: CapacityRange?) -> NodeExpandVolumeRequest {
      NodeExpandVolumeRequest(volumeID: node.volume.volumeID, volumePath: path, capacityRange: range)
    }

    @Test func `the controller neither tells nor serves expansion and the node does`() async throws {
      try await withServer(Self.options) { server in
        #expect(try await !server.controllerCapabilities().contains(.expandVolume))
        #expect(try await server.nodeCapabilities().contains(.expandVolume))
        let capabilities = try await server.call(Methods.getPluginCapabilities, .init()).capabilities
        let expansions = capabilities.compactMap {
          if case .volumeExpansion(let expansion)? = $0.type { expansion.type } else { nil }
        }
        #expect(expansions == [.online])
        let volume = try await server.create(.named("v"))
        try await server.refuses(
          .unimplemented, by: Methods.controllerExpandVolume,
          .init(volumeID: volume.volumeID, capacityRange: .atLeast(mib(32))))
        try await server.delete(volume)
      }
    }

    @Test(arguments: ["xfs", "btrfs"])
    func `volume, device and file system grow in one call that can be repeated`(fsType: String) async throws {
      try await withServer(Self.options) { server in
        let node = try await server.nodeVolume("v", bytes: mib(320), .mount(fsType))
        try await node.whilePublished { path in
          try Files.write("kept", to: path + "/file")
          let before = Files.filesystemSize(path)
          for _ in 0..<3 {
            let answer = try await server.call(
              Methods.nodeExpandVolume, expand(node, path, .atLeast(mib(400))))
            #expect(answer.capacityBytes == mib(400))
          }
          #expect(Files.filesystemSize(path) >= before + mib(64))
          #expect(Files.text(path + "/file") == "kept")
        }
        let listed = try await server.call(Methods.listVolumes, .init()).entries.first?.volume
        #expect(listed?.capacityBytes == mib(400))
        try await server.delete(node.volume)
      }
    }

    @Test func `a device grows, and without a range nothing does`() async throws {
      try await withServer(Self.options) { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.whilePublished { path in
          try await server.call(Methods.nodeExpandVolume, expand(node, path, nil))
          #expect(Files.size(path) == mib(16))
          try await server.call(Methods.nodeExpandVolume, expand(node, node.staging, .exactly(mib(32))))
          #expect(Files.size(path) == mib(32))
        }
        try await server.delete(node.volume)
      }
    }

    /// The kubelet takes RESOURCE_EXHAUSTED for something that may still come about: the claim could not be lowered.
    @Test func `what is too large or has no space is out of range, and a smaller wish works`() async throws {
      try await withServer(Self.options, on: .ext4) { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.whilePublished { path in
          let call = Methods.nodeExpandVolume
          try await server.refuses(.outOfRange, by: call, expand(node, path, .atLeast(Self.maximum + mib(1))))
          // More than the directory's file system or the pool has.
          let room = Self.isOnLVM ? VolumeGroup.poolSize + mib(64) : mib(1000)
          try await server.refuses(.outOfRange, by: call, expand(node, path, .atLeast(room)))
          try await server.refuses(.outOfRange, by: call, expand(node, path, .init(limitBytes: mib(8))))
          #expect(Files.size(path) == mib(16))
          try await server.call(call, expand(node, path, .atLeast(mib(32))))
          #expect(Files.size(path) == mib(32))
        }
        try await server.delete(node.volume)
      }
    }

    @Test func `nothing grows for a path that does not show the volume`() async throws {
      try await withServer(Self.options) { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { _ in
          try await server.refuses(
            .notFound, by: Methods.nodeExpandVolume, expand(node, server.work, .atLeast(mib(64))))
        }
        let listed = try await server.call(Methods.listVolumes, .init()).entries.first?.volume
        #expect(listed?.capacityBytes == mib(16))
        try await server.delete(node.volume)
      }
    }

    @Test(
      .onlyFor(.file, "these are its steps; the fault tests kill at those of LVM"),
      arguments: ["expand.begun", "expand.grown", "expand.recorded"])
    func `a crash on the way is healed by a repeat`(point: String) async throws {
      let crashing = ServerOptions(
        environment: ["STOWAGE_CRASH_AT": point, "STOWAGE_EXPANSION": "node"])
      try await withServer(crashing) { server in
        let node = try await server.nodeVolume("v", bytes: mib(320), .mount("xfs"))
        try await node.stage()
        try await node.publish()
        let before = Files.filesystemSize(node.target())
        try await server.refuses(
          .unavailable, by: Methods.nodeExpandVolume, expand(node, node.target(), .atLeast(mib(400))))
        try await server.kill()
        // Armed again: a repeat that finds the volume grown does not come by.
        if point == "expand.recorded" {
          try await server.start()
        } else {
          try await server.start(environment: ["STOWAGE_CRASH_AT": ""])
        }
        try await server.call(Methods.nodeExpandVolume, expand(node, node.target(), .atLeast(mib(400))))
        #expect(Files.filesystemSize(node.target()) >= before + mib(64))
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a process that serves everything tells where it is and what it has room for`() async throws {
      try await withServer(ServerOptions(arguments: ["--mode", "all", "--expansion", "node"])) { server in
        #expect(try await server.pluginServices().contains(.volumeAccessibilityConstraints))
        #expect(try await server.controllerCapabilities().contains(.getCapacity))
        let info = try await server.call(Methods.nodeGetInfo, .init())
        let here = try #require(info.accessibleTopology)
        #expect(here.segments == [Server.topologyKey: info.nodeID])
        let room = try await server.call(Methods.getCapacity, .init(accessibleTopology: here))
        #expect(room.availableCapacity > 0)
        let elsewhere = Topology(segments: [Server.topologyKey: "node-2"])
        let none = try await server.call(Methods.getCapacity, .init(accessibleTopology: elsewhere))
        #expect(none.availableCapacity == 0)
        var request = CreateVolumeRequest.named("v")
        request.accessibilityRequirements = TopologyRequirement(requisite: [here], preferred: [here])
        let volume = try await server.create(request)
        #expect(volume.accessibleTopology == [here])
        try await server.delete(volume)
      }
    }
  }
}
