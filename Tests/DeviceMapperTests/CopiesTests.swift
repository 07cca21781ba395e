import Glibc
import Host
import Storage
import Testing

@testable import LVMBackend

extension DeviceMapperSuite {
  /// Snapshots, clones and groups of what is in use.
  @Suite struct CopiesTests {
    @Test func `mounted file systems are cut whole and go on; copies can be mounted beside them`() async throws {
      try await CopyHost.use(pool: .gib(2)) { host in
        let a = try await host.make("a", .mib(64), .ext4)
        let b = try await host.make("b", .mib(320), .xfs)
        let (atA, atB) = (try await host.mount(a, .ext4, isNew: true), try await host.mount(b, .xfs, isNew: true))
        // Never synced by the test: the cut must see to it.
        try write("one", to: atA + "/file")
        try write("two", to: atB + "/file")

        let group = try await host.cost {
          try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [a.id, b.id]))
        }
        #expect(group.programs == 1, "the guard that thaws")
        #expect(group.commands == 4, "one for each member, one that tells of them, one that says it is complete")
        let single = try await host.cost {
          try await host.backend.createSnapshot(SnapshotSpec(name: "snapshot-1", source: a.id))
        }
        let clone = try await host.cost { try await host.make("clone", .mib(320), .xfs, from: .volume(b.id)) }
        #expect((single.programs, single.commands) == (0, 1))
        #expect((clone.programs, clone.commands) == (0, 1))
        // Would wait for ever were anything still frozen or suspended.
        try write("three", to: atA + "/file")
        try write("four", to: atB + "/file")

        let members = Dictionary(uniqueKeysWithValues: group.result.members.map { ($0.source, $0.id) })
        let copies: [(String, ContentSource?, FilesystemType, String)] = [
          ("ra", members[a.id].map { .snapshot($0) }, .ext4, "one"),
          ("rb", members[b.id].map { .snapshot($0) }, .xfs, "two"),
          ("rs", .snapshot(single.result.id), .ext4, "one"), ("clone", nil, .xfs, "two"),
        ]
        for (name, source, type, expected) in copies {
          let size = ByteCount.mib(type == .xfs ? 320 : 64)
          let copy = try await source == nil ? clone.result : host.make(name, size, type, from: source)
          #expect(try await host.backend.formatState(copy.id) == .formatted)
          let point = try await host.mount(copy, type)
          #expect(try text(point + "/file") == expected)
          try await host.unmount(copy)
        }
        for volume in [a, b] { try await host.unmount(volume) }
      }
    }

    @Test func `a group of raw devices keeps the order of writes`() async throws {
      try await CopyHost.use { host in
        let a = try await host.make("a")
        let b = try await host.make("b")
        let paths = (try await host.device(a.id), try await host.device(b.id))
        // 1 to the first device, then to the second, then 2 to the first, and so on.
        let writer = Background { isStopped in
          let first = try RawDevice(paths.0)
          let second = try RawDevice(paths.1)
          var number: UInt64 = 0
          while !isStopped() {
            number += 1
            try first.write(number: number, at: 0)
            try second.write(number: number, at: 0)
          }
        }
        var last: UInt64 = 0
        for round in 1...3 {
          let group = try await host.backend.createGroupSnapshot(
            GroupSnapshotSpec(name: "g\(round)", sources: [a.id, b.id]))
          var numbers: [NativeID: UInt64] = [:]
          for member in group.members {
            let copy = try await host.make("c-\(round)-\(member.source)", from: .snapshot(member.id))
            numbers[member.source] = try RawDevice(try await host.device(copy.id)).number(at: 0)
            try await host.backend.disconnect(copy.id)
          }
          let (first, second) = (numbers[a.id] ?? 0, numbers[b.id] ?? 0)
          #expect(first == second || first == second + 1, "round \(round): \(first), \(second)")
          #expect(first > last, "nothing was written between two cuts")
          last = first
        }
        try await writer.stop()
        for volume in [a, b] { try await host.backend.disconnect(volume.id) }
      }
    }

    @Test func `a group that cannot be cut leaves nothing, nothing frozen and a pool that works`() async throws {
      try await CopyHost.use { host in
        let a = try await host.make("a")
        let b = try await host.make("b", .mib(64), .ext4)
        let point = try await host.mount(b, .ext4, isNew: true)
        let before = try await host.volumes()
        // Somebody else's freeze: neither LVM nor the guard can have the file system.
        try await TestGroup.run(["fsfreeze", "--freeze", point])
        do {
          _ = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [a.id, b.id]))
          Issue.record("a frozen file system was cut")
        } catch {}
        try await TestGroup.run(["fsfreeze", "--unfreeze", point])
        #expect(try await host.volumes() == before)
        #expect(try await host.backend.groupSnapshot(named: "g") == nil)
        try write("goes on", to: point + "/file")
        let group = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [a.id, b.id]))
        #expect(group.members.count == 2)
        try await host.unmount(b)
      }
    }

    @Test func `a group that lost a member keeps the others`() async throws {
      try await CopyHost.use { host in
        let (a, b) = (try await host.make("a"), try await host.make("b"))
        let spec = GroupSnapshotSpec(name: "g", sources: [a.id, b.id])
        let group = try await host.backend.createGroupSnapshot(spec)
        let members = try await host.volumes().filter { $0.hasPrefix("css_") }
        // Which of them says that the group is complete is LVM's order: the other goes.
        for member in members.sorted() {
          let tags = try await host.group.lvs(member, "lv_tags") ?? ""
          guard !tags.contains("csi.gd=1") else { continue }
          try await TestGroup.run(["lvremove", "-y", "\(host.group.path(member))"])
        }
        #expect(try await eventually { try await host.backend.groupSnapshot(group.id) == nil })
        await #expect {
          _ = try await host.backend.createGroupSnapshot(spec)
        } throws: {
          if case StorageError.dataLoss = $0 { true } else { false }
        }
        #expect(try await host.volumes().filter { $0.hasPrefix("css_") }.count == 1)
        try await host.backend.deleteGroupSnapshot(group.id, secrets: .none)
        #expect(try await host.volumes().filter { $0.hasPrefix("css_") }.isEmpty)
      }
    }

    @Test func `what a crash left of a group is not there, and goes at the next start`() async throws {
      try await CopyHost.use { host in
        let a = try await host.make("a")
        let b = try await host.make("b")
        let group = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [a.id, b.id]))
        let single = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: a.id))
        let whole = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "w", sources: [a.id, b.id]))
        // As before the last step.
        for member in group.members {
          let name = String(member.id.rawValue.prefix { $0 != "@" })
          try await TestGroup.run(["lvchange", "--deltag", "csi.gd=1", "\(host.group.path(name))"])
        }
        #expect(try await eventually { try await host.backend.groupSnapshot(group.id) == nil })
        #expect(try await host.backend.snapshot(group.members[0].id) == nil)
        let listed = try await host.backend.snapshots(source: nil, after: nil, limit: 9).map(\.id)
        #expect(Set(listed) == Set(whole.members.map(\.id) + [single.id]))
        try await host.reopened { again in
          let left = try await again.volumes()
          let kept = try await again.backend.groupSnapshot(whole.id)
          #expect(left.count == 5)
          #expect(kept == whole)
        }
      }
    }

    @Test func `no copies while the pool takes no more`() async throws {
      try await CopyHost.use(pool: .mib(64)) { host in
        let volume = try await host.make("a", .mib(64))
        do {
          let device = try RawDevice(try await host.device(volume.id))
          for at in 0..<61 as Range<Int64> { try device.write(1, at: at << 20, 1 << 20) }
        }
        await expectError("exhausted") {
          _ = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
        }
        await expectError("exhausted") { _ = try await host.make("c", .mib(64), from: .volume(volume.id)) }
        await expectError("exhausted") {
          _ = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [volume.id]))
        }
        #expect(try await host.volumes().count == 1)
      }
    }

    @Test func `copies count against what may be promised`() async throws {
      try await CopyHost.use(pool: .mib(512), ratio: 1) { host in
        let volume = try await host.make("a", .mib(200))
        _ = try await host.backend.createSnapshot(SnapshotSpec(name: "s1", source: volume.id))
        await expectError("exhausted") {
          _ = try await host.backend.createSnapshot(SnapshotSpec(name: "s2", source: volume.id))
        }
        await expectError("exhausted") {
          _ = try await host.backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [volume.id]))
        }
        #expect(try await host.backend.capacity(CapacityQuery()).available == .mib(112))
      }
    }
  }
}
