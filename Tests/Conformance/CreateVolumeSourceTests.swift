import CSI
import GRPC
import Testing

extension Conformance {
  /// Volumes made from snapshots and from other volumes.
  @Suite struct CreateVolumeFromSource {
    @Test func `a source must name a snapshot or a volume`() async throws {
      try await withServer { server in
        for source in [VolumeContentSource(), .snapshot(""), .volume("")] {
          try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("v", from: source))
        }
      }
    }

    @Test func `a source that does not exist is not found`() async throws {
      try await withServer { server in
        for id in ["missing", "../../etc", "u5-00000000-0000-0000-0000-000000000000"] {
          try await server.refuses(.notFound, by: Methods.createVolume, .named("v", from: .snapshot(id)))
          try await server.refuses(.notFound, by: Methods.createVolume, .named("v", from: .volume(id)))
        }
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a size below the source is out of range`() async throws {
      try await withServer { server in
        let origin = try await server.create(.named("origin", bytes: mib(32)))
        let point = try await server.snapshot("point", of: origin)
        for source in [VolumeContentSource.volume(origin.volumeID), .snapshot(point.snapshotID)] {
          var request = CreateVolumeRequest.named("small", from: source)
          request.capacityRange = CapacityRange(requiredBytes: mib(16), limitBytes: mib(31))
          try await server.refuses(.outOfRange, by: Methods.createVolume, request)
        }
        try await server.delete(point)
        try await server.delete(origin)
      }
    }

    @Test func `another access type than the source's file system is invalid or kept apart`() async throws {
      try await withServer { server in
        let origin = try await server.create(.named("origin", bytes: mib(320), .mount("ext4")))
        try await server.refuses(
          .invalidArgument, by: Methods.createVolume,
          .named("copy", bytes: mib(320), .mount("xfs"), from: .volume(origin.volumeID)))
        try await server.delete(origin)
      }
    }

    @Test func `the answer names the source on every repeat`() async throws {
      try await withServer { server in
        let origin = try await server.create(.named("origin"))
        let point = try await server.snapshot("point", of: origin)
        for _ in 0..<2 {
          let restored = try await server.create(.named("restored", from: .snapshot(point.snapshotID)))
          #expect(restored.contentSource == .snapshot(point.snapshotID))
          let cloned = try await server.create(.named("cloned", from: .volume(origin.volumeID)))
          #expect(cloned.contentSource == .volume(origin.volumeID))
        }
        try await server.delete(point)
        for id in try await server.volumeIDs() {
          try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id))
        }
      }
    }

    @Test(arguments: DataFilesystem.ofCopies, ["ext4", "xfs", "btrfs"])
    func `a restored and a cloned volume hold what their source held and mount beside it`(
      directory: DataFilesystem, fsType: String
    ) async throws {
      try await withServer(.configured(overprovision: 100), on: directory) { server in
        let size = mib(320)
        let origin = try await server.nodeVolume("origin", bytes: size, .mount(fsType))
        try await origin.stage()
        try await origin.publish()
        try Files.write("old", to: origin.target() + "/file")
        let point = try await server.snapshot("point", of: origin.volume)
        try Files.write("new", to: origin.target() + "/file")

        let bigger = size + mib(64)
        let restored = try await server.create(
          .named("restored", bytes: bigger, .mount(fsType), from: .snapshot(point.snapshotID)))
        let cloned = try await server.create(
          .named("cloned", bytes: size, .mount(fsType), from: .volume(origin.volume.volumeID)))
        try await NodeVolume(server, restored, .mount(fsType)).whilePublished { path in
          #expect(Files.text(path + "/file") == "old")
          #expect(Files.filesystemSize(path) > Files.filesystemSize(origin.target()) + mib(48))
          try await NodeVolume(server, cloned, .mount(fsType)).whilePublished { path in
            #expect(Files.text(path + "/file") == "new")
          }
          try Files.write("mine", to: path + "/file")
          #expect(Files.text(origin.target() + "/file") == "new")
        }
        try await origin.unpublish()
        try await origin.unstage()
        try await server.delete(point)
        try await server.delete(origin.volume, restored, cloned)
      }
    }

    @Test func `a raw volume is copied byte by byte`() async throws {
      try await withServer { server in
        let pattern = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let origin = try await server.nodeVolume("origin", .block())
        try await origin.whilePublished { path in try Files.write(pattern, to: path, at: 1 << 20) }
        let copy = try await server.create(
          .named("copy", bytes: mib(24), .block(), from: .volume(origin.volume.volumeID)))
        try await NodeVolume(server, copy, .block()).whilePublished { path in
          #expect(Files.size(path) == mib(24))
          #expect(Files.bytes(path, at: 1 << 20, count: 65536) == pattern)
          #expect(Files.bytes(path, at: 0, count: 4096).allSatisfy { $0 == 0 })
          #expect(Files.bytes(path, at: Int(mib(20)), count: 4096).allSatisfy { $0 == 0 })
        }
        try await server.delete(origin.volume, copy)
      }
    }

    @Test func `a copy lives on when its source is deleted`() async throws {
      try await withServer { server in
        let origin = try await server.nodeVolume("origin")
        try await origin.whilePublished { try Files.write("kept", to: $0 + "/file") }
        let point = try await server.snapshot("point", of: origin.volume)
        let copy = try await server.create(.named("copy", from: .volume(origin.volume.volumeID)))
        try await server.delete(origin.volume)
        let restored = try await server.create(.named("restored", from: .snapshot(point.snapshotID)))
        try await server.delete(point)
        for volume in [copy, restored] {
          try await NodeVolume(server, volume).whilePublished { #expect(Files.text($0 + "/file") == "kept") }
        }
        try await server.delete(copy, restored)
      }
    }
  }
}
