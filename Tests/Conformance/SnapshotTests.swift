import CSI
import GRPC
import Testing

extension Conformance {
  /// Sections "CreateSnapshot" and "DeleteSnapshot".
  @Suite struct Snapshots {
    @Test func `name and source are required`() async throws {
      try await withServer { server in
        try await server.refuses(
          .invalidArgument, by: Methods.createSnapshot, CreateSnapshotRequest(sourceVolumeID: "missing"))
        try await server.refuses(.invalidArgument, by: Methods.createSnapshot, CreateSnapshotRequest(name: "s"))
        try await server.refuses(.invalidArgument, by: Methods.deleteSnapshot, DeleteSnapshotRequest())
      }
    }

    @Test func `an unknown source is not found`() async throws {
      try await withServer { server in
        for id in ["missing", "..", "a/b"] {
          try await server.refuses(
            .notFound, by: Methods.createSnapshot, CreateSnapshotRequest(sourceVolumeID: id, name: "s"))
        }
      }
    }

    @Test func `a snapshot has an id, its source, a time and a size to restore to`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let point = try await server.snapshot("point", of: volume)
        #expect((1...128).contains(point.snapshotID.utf8.count))
        #expect(point.sourceVolumeID == volume.volumeID)
        #expect(try #require(point.creationTime).seconds > 1_600_000_000)
        #expect(point.readyToUse)
        #expect(point.sizeBytes == volume.capacityBytes)
        #expect(point.groupSnapshotID.isEmpty)
        try await server.delete(point)
        try await server.delete(volume)
      }
    }

    @Test func `ten equal calls cut one snapshot`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let point = try await server.snapshot("point", of: volume)
        for _ in 0..<9 { #expect(try await server.snapshot("point", of: volume) == point) }
        #expect(try await server.snapshotIDs() == [point.snapshotID])
        for _ in 0..<10 { try await server.delete(point) }
        #expect(try await server.snapshotIDs().isEmpty)
        try await server.delete(volume)
      }
    }

    @Test func `a name that is taken for another source already exists`() async throws {
      try await withServer { server in
        let one = try await server.create(.named("one"))
        let two = try await server.create(.named("two"))
        let point = try await server.snapshot("point", of: one)
        try await server.refuses(
          .alreadyExists, by: Methods.createSnapshot,
          CreateSnapshotRequest(sourceVolumeID: two.volumeID, name: "point"))
        try await server.delete(point)
        try await server.delete(one, two)
      }
    }

    @Test func `a repeat finds the snapshot also when its source is gone`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let point = try await server.snapshot("point", of: volume)
        try await server.delete(volume)
        #expect(try await server.snapshot("point", of: volume) == point)
        try await server.delete(point)
      }
    }

    @Test(arguments: ["missing", "..", "../volumes/v", "\u{1F4F7}", String(repeating: "s", count: 128)])
    func `deleting a snapshot that nobody has succeeds`(id: String) async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.call(Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: id))
        #expect(try await server.volumeIDs() == [volume.volumeID])
        try await server.delete(volume)
      }
    }

    @Test func `a volume and a snapshot may have one name`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("same"))
        let point = try await server.snapshot("same", of: volume)
        try await server.delete(volume)
        #expect(try await server.snapshotIDs() == [point.snapshotID])
        try await server.delete(point)
      }
    }

    @Test func `unknown parameters are invalid, those of the sidecar are tolerated`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.refuses(
          .invalidArgument, by: Methods.createSnapshot,
          CreateSnapshotRequest(sourceVolumeID: volume.volumeID, name: "s", parameters: ["unknown": "x"]))
        let known = CreateSnapshotRequest(
          sourceVolumeID: volume.volumeID, name: "s",
          parameters: [
            "csi.storage.k8s.io/volumesnapshot/name": "n", "csi.storage.k8s.io/volumesnapshot/namespace": "d",
            "csi.storage.k8s.io/volumesnapshotcontent/name": "c",
          ])
        let point = try #require(try await server.call(Methods.createSnapshot, known).snapshot)
        #expect(try await server.snapshot("s", of: volume) == point)
        try await server.delete(point)
        try await server.delete(volume)
      }
    }

    @Test(arguments: ["ext4", "xfs", "btrfs"])
    func `a snapshot of a mounted volume is a whole file system`(fsType: String) async throws {
      try await withServer { server in
        let size = mib(320)
        let node = try await server.nodeVolume("v", bytes: size, .mount(fsType))
        try await node.stage()
        try await node.publish()
        for number in 0..<20 { try Files.write("content \(number)", to: node.target() + "/file\(number)") }
        let point = try await server.snapshot("point", of: node.volume)
        #expect(point.readyToUse)
        // Still writable: whatever was frozen is thawed.
        try Files.write("after", to: node.target() + "/after")
        try await node.unpublish()
        try await node.unstage()
        let restored = try await server.create(
          .named("restored", bytes: size, .mount(fsType), from: .snapshot(point.snapshotID)))
        try await NodeVolume(server, restored, .mount(fsType)).whilePublished { path in
          for number in 0..<20 { #expect(Files.text(path + "/file\(number)") == "content \(number)") }
          #expect(!Files.exists(path + "/after"))
        }
        try await server.delete(point)
        try await server.delete(node.volume, restored)
      }
    }
  }
}
