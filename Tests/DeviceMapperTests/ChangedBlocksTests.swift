import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct ChangedBlocksTests {
    private func ranges(
      _ tell: (([BlockRange]) async throws -> Void) async throws -> Void
    ) async throws -> [BlockRange] {
      var all: [BlockRange] = []
      try await tell { all += $0 }
      return all
    }

    /// The chunks of 64 KiB in which two contents differ, as ranges.
    private func difference(_ a: [UInt8], _ b: [UInt8]) -> [BlockRange] {
      let chunk = 1 << 16
      var all: [BlockRange] = []
      for start in stride(from: 0, to: b.count, by: chunk) {
        let same = a.withUnsafeBytes { a in
          b.withUnsafeBytes { b in
            guard let a = a.baseAddress, let b = b.baseAddress else { return true }
            return memcmp(a + start, b + start, chunk) == 0
          }
        }
        if same { continue }
        if let last = all.last, last.offset + last.length == Int64(start) {
          all[all.count - 1].length += Int64(chunk)
        } else {
          all.append(BlockRange(offset: Int64(start), length: Int64(chunk)))
        }
      }
      return all
    }

    @Test func `what changed is what a comparison of all bytes finds`() async throws {
      try await CopyHost.use { host in
        let size = ByteCount.mib(32)
        let volume = try await host.make("a", size)
        let path = try await host.device(volume.id)
        let chunk = 1 << 16 as Int64
        do {
          let device = try RawDevice(path)
          for at in [0, 1, 2, 3, 40, 41, 100, 511] as [Int64] { try device.write(1, at: at * chunk) }
        }
        let base = try await host.backend.createSnapshot(SnapshotSpec(name: "base", source: volume.id))
        let old = try RawDevice(path).content(size)
        do {
          let device = try RawDevice(path)
          for at in [1, 2, 41, 42, 300] as [Int64] { try device.write(2, at: at * chunk + 4096) }
        }
        try await TestGroup.run(["blkdiscard", "-o", "\(100 * chunk)", "-l", "\(chunk)", path])
        let target = try await host.backend.createSnapshot(SnapshotSpec(name: "target", source: volume.id))
        let new = try RawDevice(path).content(size)
        try await host.backend.disconnect(volume.id)

        let changed = try await host.cost {
          try await ranges { try await host.backend.changedBlocks(from: base.id, to: target.id, offset: 0, $0) }
        }
        #expect(changed.result == difference(old, new))
        #expect((changed.programs, changed.commands) == (1, 0))
        let zeroes = [UInt8](repeating: 0, count: Int(size.bytes))
        let allocated = try await ranges { try await host.backend.allocatedBlocks(of: target.id, from: 0, $0) }
        #expect(allocated == difference(zeroes, new))
        let rest = try await ranges {
          try await host.backend.changedBlocks(from: base.id, to: target.id, offset: 41 * chunk + 1, $0)
        }
        #expect(rest == difference(old, new).filter { $0.offset >= 41 * chunk })
        #expect(try !host.holdsMetadataSnapshot())
      }
    }

    @Test func `readers take turns, an error of one releases the pool's metadata for the next`() async throws {
      try await CopyHost.use { host in
        let volume = try await host.make("a")
        do { try RawDevice(try await host.device(volume.id)).write(1, at: 0) }
        let snapshot = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
        try await host.backend.disconnect(volume.id)
        await withTaskGroup(of: Void.self) { group in
          for number in 0..<4 {
            group.addTask {
              do {
                let found = try await ranges {
                  try await host.backend.allocatedBlocks(of: snapshot.id, from: 0, $0)
                }
                #expect(found == [BlockRange(offset: 0, length: 1 << 16)], "reader \(number)")
              } catch {
                Issue.record("reader \(number): \(error)")
              }
            }
          }
        }
        await expectError("unavailable") {
          try await host.backend.allocatedBlocks(of: snapshot.id, from: 0) { _ in
            throw StorageError.unavailable("gone")
          }
        }
        #expect(try !host.holdsMetadataSnapshot())
      }
    }

    @Test func `a metadata snapshot of another program is left alone, one of ours released at the start`() async throws
    {
      try await CopyHost.use { host in
        let volume = try await host.make("a")
        let snapshot = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
        let pool = host.group.path(host.group.pool)
        try await host.dmsetup("message", host.poolDevice, "0", "reserve_metadata_snap")
        await expectError("busy") { try await host.backend.allocatedBlocks(of: snapshot.id, from: 0) { _ in } }
        try await host.reopened { again in
          let isHeld = try again.holdsMetadataSnapshot()
          #expect(isHeld)
          await expectError("busy") { try await again.backend.allocatedBlocks(of: snapshot.id, from: 0) { _ in } }
        }
        // As a killed server leaves it.
        try write("", to: "\(host.group.runtimeDirectory)/metadata-snapshot.\(DeviceMapper.name(of: pool))")
        try await host.reopened { again in
          let isHeld = try again.holdsMetadataSnapshot()
          #expect(!isHeld)
          try await again.backend.allocatedBlocks(of: snapshot.id, from: 0) { _ in }
        }
      }
    }

    @Test func `snapshots of a volume that was made anew have nothing in common`() async throws {
      try await CopyHost.use { host in
        let first = try await host.make("a")
        let old = try await host.backend.createSnapshot(SnapshotSpec(name: "old", source: first.id))
        try await host.backend.deleteVolume(first.id, secrets: .none)
        let second = try await host.make("a")
        #expect(second.id == first.id)
        let new = try await host.backend.createSnapshot(SnapshotSpec(name: "new", source: second.id))
        await expectError("precondition") {
          try await host.backend.changedBlocks(from: old.id, to: new.id, offset: 0) { _ in }
        }
      }
    }
  }
}
