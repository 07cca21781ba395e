import FileBackend
import Glibc
import Host
import Storage
import Testing

extension FileBackendSuite {
  /// Full file systems, promises and conditions.
  @Suite struct SpaceTests {
    @Test(arguments: FilesystemType.allCases)
    func `a full file system is told as exhausted and left clean`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type, size: .mib(512)) { host in
        // Promises far beyond the disk: the disk itself refuses.
        let backend = try await host.prepared(ratio: 100)
        let thick = ["provisioning": "thick"]
        let kept = try await backend.make("kept", .mib(64), block, parameters: thick)
        #expect(try FileAttributes.of("\(host.volumes)/volumes/kept/data").allocated >= 64 << 20)
        let before = try await backend.capacity(CapacityQuery()).available
        await expectError("exhausted") { _ = try await backend.make("big", .gib(1), block, parameters: thick) }
        #expect(try host.leftovers() == ["volumes/kept"])
        let range = try CapacityRange(requiredBytes: 1 << 30, limitBytes: 0)
        await expectError("exhausted") { _ = try await backend.expand(kept.id, to: range, secrets: .none) }
        #expect(try await backend.volume(kept.id) == kept)
        #expect(try FileAttributes.of("\(host.volumes)/volumes/kept/data").size == 64 << 20)
        let after = try await backend.capacity(CapacityQuery()).available
        #expect(after.bytes > before.bytes / 10 * 9)
      }
    }

    @Test func `a copy that does not fit is refused before it begins`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(128)) { host in
        let backend = try await host.prepared()
        let volume = try await backend.make("v", .mib(64), block, parameters: ["provisioning": "thick"])
        let syncs = backend.costs.syncs
        await expectError("exhausted") {
          _ = try await backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
        }
        #expect(backend.costs.syncs == syncs)
        #expect(try host.leftovers() == ["volumes/v"])
      }
    }

    @Test func `the ledger promises the ratio and no more`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(256)) { host in
        let backend = try await host.prepared(ratio: 2)
        let offered = try await backend.capacity(CapacityQuery())
        let first = try await backend.make("first", ByteCount(offered.available.bytes / 2 / 4096 * 4096))
        let left = try await backend.capacity(CapacityQuery())
        let slack = ByteCount.mib(2)
        #expect(left.available <= offered.available - first.capacity)
        #expect(left.available >= offered.available - first.capacity - slack)
        await expectError("exhausted") { _ = try await backend.make("more", left.available + .mib(1)) }
        _ = try await backend.make("rest", left.available - slack)
        await expectError("exhausted") { _ = try await backend.make("one", slack + .mib(1)) }
      }
    }

    @Test func `conditions tell of missing, cut and crowded files`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(128)) { host in
        let backend = try await host.prepared(ratio: 10)
        let volume = try await backend.make("v", .mib(8))
        let data = "\(host.volumes)/volumes/v/data"
        func reasons() async throws -> [String] { try await backend.condition(of: volume.id).problems.map(\.reason) }
        #expect(try await reasons() == [])
        #expect(truncate(data, 4 << 20) == 0)
        #expect(try await reasons() == ["BackingFileTruncated"])
        await expectError("dataLoss") { _ = try await backend.connect(volume.id, NodeConnection()) }
        #expect(truncate(data, 9 << 20) == 0)
        #expect(try await reasons() == ["BackingFileTooLong"])
        #expect(truncate(data, 8 << 20) == 0)
        let free = try await backend.capacity(CapacityQuery()).available.bytes / 10 / 4096 * 4096
        let filler = try await backend.make(
          "filler", ByteCount(free - (4 << 20)), block, parameters: ["provisioning": "thick"])
        #expect(try await reasons() == ["HostFilesystemNearlyFull"])
        #expect(try await backend.condition(of: filler.id) == .healthy)
        // The first look at all volumes holds for a while.
        #expect(try await backend.recentCondition(of: volume.id).problems.map(\.reason) == ["HostFilesystemNearlyFull"])
        #expect(try await backend.recentCondition(of: filler.id) == .healthy)
        #expect(unlink(data) == 0)
        #expect(try await reasons() == ["BackingFileMissing"])
        await expectError("dataLoss") { _ = try await backend.connect(volume.id, NodeConnection()) }
        try await backend.disconnect(volume.id)
        try await backend.deleteVolume(volume.id, secrets: .none)
        await expectError("notFound") { _ = try await backend.condition(of: volume.id) }
      }
    }

    @Test func `a new volume does not inherit the condition of a deleted one of its name`() async throws {
      try await HostDirectory.use(.ext4, size: .mib(128)) { host in
        let backend = try await host.prepared()
        let volume = try await backend.make("v", .mib(8))
        #expect(unlink("\(host.volumes)/volumes/v/data") == 0)
        #expect(try await backend.recentCondition(of: volume.id).isAbnormal)
        try await backend.deleteVolume(volume.id, secrets: .none)
        _ = try await backend.make("v", .mib(8))
        #expect(try await backend.recentCondition(of: volume.id) == .healthy)
      }
    }
  }
}
