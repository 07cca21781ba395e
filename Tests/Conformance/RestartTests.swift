import CSI
import GRPC
import Testing

extension Conformance {
  /// The server remembers nothing: what it must know it reads from the kernel and its directory.
  @Suite struct Restart {
    @Test func `objects are the same after a kill`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", parameters: Backend.underTest.parameters))
        let point = try await server.snapshot("s", of: volume)
        let copy = try await server.create(.named("copy", from: .snapshot(point.snapshotID)))
        try await server.kill()
        try await server.start()
        #expect(try await server.create(.named("v", parameters: Backend.underTest.parameters)) == volume)
        #expect(try await server.snapshot("s", of: volume) == point)
        #expect(try await server.create(.named("copy", from: .snapshot(point.snapshotID))) == copy)
        #expect(try await server.volumeIDs().count == 2)
        try await server.delete(point)
        try await server.delete(volume, copy)
      }
    }

    @Test(arguments: [VolumeCapability.mount(), .mount("xfs"), .mount("btrfs"), .block()], [false, true])
    func `a published volume is found by its paths after a restart`(
      capability: VolumeCapability, killed: Bool
    ) async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", bytes: mib(320), capability)
        try await node.stage()
        try await node.publish()
        let before = Set(server.mounts)
        if killed {
          try await server.kill()
          try await server.start()
        } else {
          try await server.restart()
        }
        #expect(Set(server.mounts) == before, "mounts outlive the server")
        try await node.stage()
        try await node.publish()
        #expect(Set(server.mounts) == before, "repeats find what is there")
        let stats = try await server.call(
          Methods.nodeGetVolumeStats,
          NodeGetVolumeStatsRequest(volumeID: node.volume.volumeID, volumePath: node.target()))
        #expect(stats.usage.contains { $0.unit == .bytes && $0.total > 0 })
        try await server.refuses(
          .failedPrecondition, by: Methods.deleteVolume, DeleteVolumeRequest(volumeID: node.volume.volumeID))
        try await server.restart()
        try await node.unpublish()
        try await server.restart()
        try await node.unstage()
        #expect(server.mounts.isEmpty)
        #expect(server.devices.isEmpty)
        try await server.delete(node.volume)
      }
    }

    @Test func `the publish table holds across a restart`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .mount("ext4", .singleNodeSingleWriter))
        try await node.stage()
        try await node.publish(1)
        try await server.restart()
        try await server.refuses(.failedPrecondition, by: Methods.nodePublishVolume, node.publishRequest(2))
        try await server.refuses(
          .alreadyExists, by: Methods.nodePublishVolume, node.publishRequest(1, readonly: true))
        try await node.publish(1)
        try await node.unpublish(1)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `after a reboot nothing is mounted and the ends of calls succeed`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await node.whilePublished { try Files.write("kept", to: $0 + "/file") }
        try await server.kill()
        // What a reboot leaves: the directories of the paths and nothing in them.
        Files.makeDirectory(node.target())
        try await server.start()
        try await node.unpublish()
        try await node.unstage()
        #expect(!Files.exists(node.target()))
        try await node.whilePublished { #expect(Files.text($0 + "/file") == "kept") }
        try await server.delete(node.volume)
      }
    }

    @Test func `a copy that a kill interrupted is made again and leaves no rest`() async throws {
      try await withServer(.configured(overprovision: 2), on: .ext4) { server in
        let source = try await server.slowSource(0xC3)
        let request = CreateVolumeRequest.named("copy", bytes: mib(128), .block(), from: .volume(source.volumeID))
        let before = try await server.stored()
        let client = try server.makeClient()
        let lost = try await server.holdingBack { begun in
          let lost = Task { try? await server.call(Methods.createVolume, request, through: client) }
          try await begun()
          try await server.kill()
          return lost
        }
        _ = await lost.value
        client.close()
        try await server.start()
        // What LVM had begun it may have ended, whoever asked for it is dead or not.
        if Backend.underTest == .file { #expect(try await server.stored() == before, "the half of a copy is swept") }
        let copy = try await server.create(request)
        try await NodeVolume(server, copy, .block()).whilePublished { path in
          #expect(Files.bytes(path, at: 15 << 23, count: 65536).allSatisfy { $0 == 0xC3 })
        }
        try await server.delete(source, copy)
        try await waitUntil("the rest is gone") { try await server.stored().isSubset(of: before) }
      }
    }
  }
}
