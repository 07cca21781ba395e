import FileBackend
import Glibc
import Host
import Storage
import Testing

extension FileBackendSuite {
  @Suite struct PrepareTests {
    @Test func `everything is there again after a restart`() async throws {
      try await HostDirectory.use(.xfs) { host in
        let first = try await host.prepared()
        let a = try await first.make("a", .mib(300), mount(.xfs))
        let named = try await first.make("名前/..", .mib(16), block, parameters: ["provisioning": "thick"])
        try await first.setFormatState(.formatted, for: a.id)
        _ = try await first.attach(
          a.id, to: NodeID("here"), capability: mount(.xfs), readOnly: true, secrets: .none)
        let snapshot = try await first.createSnapshot(SnapshotSpec(name: "s", source: a.id))
        let clone = try await first.make("c", .mib(300), mount(.xfs), from: .snapshot(snapshot.id))
        let group = try await first.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [named.id, a.id]))
        let volumes = try await first.volumes(after: nil, limit: 99)
        let snapshots = try await first.snapshots(source: nil, after: nil, limit: 99)
        let capacity = try await first.capacity(CapacityQuery())
        first.close()

        let second = try await host.prepared()
        #expect(try await second.volumes(after: nil, limit: 99) == volumes)
        #expect(try await second.snapshots(source: nil, after: nil, limit: 99) == snapshots)
        #expect(try await second.groupSnapshot(group.id) == group)
        let available = try await second.capacity(CapacityQuery()).available
        #expect(abs(available.bytes - capacity.available.bytes) < 4 << 20)
        #expect(try await second.formatState(a.id) == .formatted)
        #expect(try await second.formatState(clone.id) == .formatted)
        #expect(try await second.volume(a.id)?.publishedNodes == [NodeID("here")])
        #expect(try await second.volume(clone.id)?.source == .snapshot(snapshot.id))
        let context = try await second.attach(
          a.id, to: NodeID("here"), capability: mount(.xfs), readOnly: true, secrets: .none)
        #expect(context == ["readOnly": "true"])
      }
    }

    @Test func `a second process is refused while the first one lives`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let first = try await host.prepared()
        let second = try host.backend()
        await expectError("failed") { try await second.prepare() }
        await expectError("unavailable") { _ = try await second.volume(NativeID("a")) }
        await expectError("unavailable") { try await second.checkReadiness() }
        first.close()
        try await second.prepare()
        try await second.checkReadiness()
        let program = try await Command.run([lifeProgram, host.volumes], limit: .seconds(60))
        #expect(program.text.contains("another process (pid \(getpid())) serves this directory"))
      }
    }

    @Test func `half-made and half-deleted things are swept`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let first = try await host.prepared()
        let kept = try await first.make("kept", .mib(1))
        first.close()
        for place in ["work/x.1", "trash/y.2"] {
          try HostPath.createDirectory("\(host.volumes)/\(place)")
          try write("{}", to: "\(host.volumes)/\(place)/volume.json")
          try write("bytes", to: "\(host.volumes)/\(place)/data")
        }
        let second = try await host.prepared()
        #expect(try host.leftovers() == ["volumes/kept"])
        #expect(try await second.volumes(after: nil, limit: 9) == [kept])
      }
    }

    @Test func `metadata of another version is refused and nothing is touched`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let first = try await host.prepared()
        _ = try await first.make("old", .mib(1))
        first.close()
        let path = "\(host.volumes)/volumes/old/volume.json"
        let future = try text(path).replacingFirst("\"version\":1", with: "\"version\":2")
        try write(future, to: path)
        try HostPath.createDirectory("\(host.volumes)/work/half.1")
        let second = try host.backend()
        await expectError("failed") { try await second.prepare() }
        #expect(try text(path) == future)
        #expect(try host.leftovers() == ["volumes/old", "work/half.1"])
        // The lock is free again: nobody serves the directory now.
        await expectError("failed") { try await host.backend().prepare() }
      }
    }

    @Test func `damaged metadata is that volume's trouble alone`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let first = try await host.prepared()
        _ = try await first.make("bad", .mib(1))
        let good = try await first.make("good", .mib(1))
        first.close()
        try write("{\"version\":1,\"name\":\"ba", to: "\(host.volumes)/volumes/bad/volume.json")
        let second = try await host.prepared()
        #expect(try await second.volume(good.id) == good)
        #expect(try await second.volumes(after: nil, limit: 9) == [good])
        await expectError("dataLoss") { _ = try await second.volume(NativeID("bad")) }
        await expectError("dataLoss") { _ = try await second.make("bad", .mib(1)) }
        await expectError("dataLoss") { try await second.deleteVolume(NativeID("bad"), secrets: .none) }
        #expect(HostPath.exists("\(host.volumes)/volumes/bad/data"))
      }
    }

    @Test func `an interrupted expansion is undone, but never data`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let first = try await host.prepared()
        let empty = try await first.make("empty", .mib(1))
        let full = try await first.make("full", .mib(1))
        first.close()
        for volume in [empty, full] {
          #expect(truncate("\(host.volumes)/volumes/\(volume.id)/data", 2 << 20) == 0)
        }
        let tail = try Descriptor(opening: "\(host.volumes)/volumes/full/data", O_RDWR)
        #expect(pwrite(tail.raw, "x", 1, (2 << 20) - 1) == 1)
        let second = try await host.prepared()
        #expect(try FileAttributes.of("\(host.volumes)/volumes/empty/data").size == 1 << 20)
        #expect(try await second.volume(empty.id) == empty)
        #expect(try FileAttributes.of("\(host.volumes)/volumes/full/data").size == 2 << 20)
        #expect(try await second.volume(full.id)?.capacity == .mib(2))
      }
    }

    @Test func `the directory and all files are for the owner alone`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(64)) { host in
        let backend = try await host.prepared()
        _ = try await backend.make("a", .mib(1))
        for directory in ["", "/volumes", "/volumes/a", "/work", "/trash"] {
          #expect(try FileAttributes.of(host.volumes + directory).mode & 0o777 == 0o700)
        }
        for file in ["/lock", "/volumes/a/data", "/volumes/a/volume.json"] {
          #expect(try FileAttributes.of(host.volumes + file).mode & 0o777 == 0o600)
        }
      }
    }
  }
}

extension String {
  fileprivate func replacingFirst(_ text: String, with other: String) -> String {
    guard let start = indices.first(where: { self[$0...].hasPrefix(text) }) else { return self }
    return self[..<start] + other + self[start...].dropFirst(text.count)
  }
}
