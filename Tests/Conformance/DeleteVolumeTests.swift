import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "DeleteVolume".
  @Suite struct DeleteVolume {
    @Test func `an id is required`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.deleteVolume, DeleteVolumeRequest())
      }
    }

    @Test(arguments: [
      "missing", "fake-vol-id-abcdefghij", "..", ".", "a/b", "../../../etc/passwd", "other:volume", ":", "\u{1F4BE}",
      String(repeating: "x", count: 128),
    ])
    func `an id that nobody has is deleted with success`(id: String) async throws {
      try await withServer { server in
        let kept = try await server.create(.named("kept"))
        for _ in 0..<2 { try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id)) }
        #expect(try await server.volumeIDs() == [kept.volumeID])
        try await server.delete(kept)
      }
    }

    @Test func `ten deletions of one volume succeed and what it was kept in is gone`() async throws {
      try await withServer { server in
        let before = try await server.stored()
        let volume = try await server.create(.named("v"))
        #expect(try await server.stored() != before)
        for _ in 0..<10 { try await server.delete(volume) }
        #expect(try await server.volumeIDs().isEmpty)
        try await waitUntil("the rest is gone") { try await server.stored() == before }
      }
    }

    @Test func `a volume in use is kept as it is`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        let request = DeleteVolumeRequest(volumeID: node.volume.volumeID)
        try await node.stage()
        try await server.refuses(.failedPrecondition, by: Methods.deleteVolume, request)
        try await node.publish()
        try Files.write("kept", to: node.target() + "/file")
        try await server.refuses(.failedPrecondition, by: Methods.deleteVolume, request)
        #expect(Files.text(node.target() + "/file") == "kept")
        #expect(try await server.volumeIDs() == [node.volume.volumeID])
        try await node.unpublish()
        try await server.refuses(.failedPrecondition, by: Methods.deleteVolume, request)
        try await node.unstage()
        try await server.call(Methods.deleteVolume, request)
      }
    }

    @Test func `a raw volume in use is kept as it is`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", .block())
        try await node.stage()
        try await node.publish()
        try await server.refuses(
          .failedPrecondition, by: Methods.deleteVolume, DeleteVolumeRequest(volumeID: node.volume.volumeID))
        try await node.unpublish()
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `snapshots outlive their volume, stay listed and can be restored`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .block()))
        let point = try await server.snapshot("point", of: volume)
        try await server.delete(volume)
        let listed = try await server.call(Methods.listSnapshots, ListSnapshotsRequest()).entries
        #expect(listed.compactMap(\.snapshot) == [point])
        let restored = try await server.create(.named("restored", .block(), from: .snapshot(point.snapshotID)))
        try await server.delete(restored)
        try await server.delete(point)
      }
    }

    @Test func `a name is free again after the deletion`() async throws {
      try await withServer { server in
        try await server.delete(try await server.create(.named("v", .block())))
        let again = try await server.create(.named("v", bytes: mib(32), .mount()))
        #expect(again.capacityBytes == mib(32))
        try await server.delete(again)
      }
    }
  }
}
