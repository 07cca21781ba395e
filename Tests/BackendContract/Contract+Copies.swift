import Storage

extension ContractCheck {
  static let snapshots = [
    ContractCheck("a snapshot keeps what was there, whatever becomes of its volume") { c in
      guard let backend = c.backend as? any SnapshottingBackend else { return }
      let volume = try await c.create("origin")
      _ = try await c.withDevice(volume.id) { try $0.write(at: 1 << 20, Array("before".utf8)) }
      let snapshot = try await backend.createSnapshot(SnapshotSpec(name: "shot", source: volume.id))
      try c.expectEqual(snapshot.source, volume.id, "source")
      try c.expectEqual(snapshot.size, volume.capacity, "size")
      try c.expect(snapshot.created.seconds > 1_500_000_000, "the creation time is \(snapshot.created)")
      try c.expectEqual(
        try await backend.createSnapshot(SnapshotSpec(name: "shot", source: volume.id)), snapshot, "again")
      try c.expectEqual(try await backend.snapshot(snapshot.id), snapshot, "by id")
      try c.expectEqual(try await backend.snapshot(named: "shot"), snapshot, "by name")
      _ = try await c.withDevice(volume.id) { try $0.write(at: 1 << 20, Array("after!".utf8)) }
      try await c.delete(volume)
      try c.expectEqual(try await backend.snapshot(snapshot.id), snapshot, "after the volume's deletion")
      if let content = try await c.content(of: snapshot) {
        try c.expectEqual(Array(content[(1 << 20)..<(1 << 20) + 6]), Array("before".utf8), "content")
      }
      try await backend.deleteSnapshot(snapshot.id, secrets: .none)
      try await backend.deleteSnapshot(snapshot.id, secrets: .none)
      try c.expect(try await backend.snapshot(snapshot.id) == nil, "the snapshot is there after its deletion")
    },
    ContractCheck("a snapshot of an unknown volume is not found, of another volume incompatible") { c in
      guard let backend = c.backend as? any SnapshottingBackend else { return }
      let a = try await c.create("a-volume", mib: 1)
      let b = try await c.create("b-volume", mib: 1)
      try await c.expectError("notFound", "no source") {
        _ = try await backend.createSnapshot(SnapshotSpec(name: "none", source: NativeID("no-such-volume")))
      }
      let snapshot = try await backend.createSnapshot(SnapshotSpec(name: "mine", source: a.id))
      try await c.expectError("incompatible", "another source") {
        _ = try await backend.createSnapshot(SnapshotSpec(name: "mine", source: b.id))
      }
      try await backend.deleteSnapshot(snapshot.id, secrets: .none)
      try await c.delete(a)
      try await c.delete(b)
    },
    ContractCheck("a restored volume holds the snapshot's content, also when it is bigger") { c in
      guard let backend = c.backend as? any SnapshottingBackend else { return }
      var numbers = SeededNumbers(seed: 11)
      let volume = try await c.create("content")
      let bytes = numbers.bytes(3 << 20)
      _ = try await c.withDevice(volume.id) { try $0.write(at: 5 << 20, bytes) }
      let snapshot = try await backend.createSnapshot(SnapshotSpec(name: "of-content", source: volume.id))
      if let original = try await c.content(of: volume) {
        try c.expect(sameBytes(try await c.content(of: snapshot) ?? [], original), "the content differs")
        let bigger = try await c.content(of: snapshot, mib: 20)
        let grown = original + [UInt8](repeating: 0, count: 4 << 20)
        try c.expect(sameBytes(bigger ?? [], grown), "the bigger volume differs")
      }
      try await c.expectError("outOfRange", "smaller than the snapshot") {
        try await c.create("small", mib: 8, from: .snapshot(snapshot.id))
      }
      try await c.expectError("notFound", "an unknown snapshot") {
        try await c.create("orphan", from: .snapshot(NativeID("no-such-snapshot")))
      }
      try await c.delete(volume)
      try await backend.deleteSnapshot(snapshot.id, secrets: .none)
    },
    ContractCheck("snapshots are listed by pages and by source") { c in
      guard let backend = c.backend as? any SnapshottingBackend else { return }
      let a = try await c.create("list-a", mib: 1)
      let b = try await c.create("list-b", mib: 1)
      var made: [Snapshot] = []
      for number in 0..<6 {
        made.append(
          try await backend.createSnapshot(
            SnapshotSpec(name: "s\(number * 5 % 6)", source: number < 4 ? a.id : b.id)))
      }
      made.sort { $0.id < $1.id }
      for source in [nil, a.id, b.id, NativeID("no-such-volume")] {
        var listed: [Snapshot] = []
        while true {
          let page = try await backend.snapshots(source: source, after: listed.last?.id, limit: 2)
          if page.isEmpty { break }
          listed += page
        }
        try c.expectEqual(
          listed, made.filter { source == nil || $0.source == source }, "snapshots of \(source ?? a.id)")
      }
      for snapshot in made { try await backend.deleteSnapshot(snapshot.id, secrets: .none) }
      try c.expect(try await backend.snapshots(source: nil, after: nil, limit: 9).isEmpty, "snapshots are left")
      try await c.delete(a)
      try await c.delete(b)
    },
    ContractCheck("a snapshot of a connected volume that nobody writes to holds what was written") { c in
      guard let backend = c.backend as? any SnapshottingBackend else { return }
      let volume = try await c.create("live")
      let snapshot = try await c.withDevice(volume.id) { device in
        try device.write(at: 12345, Array("live data".utf8))
        return try await backend.createSnapshot(SnapshotSpec(name: "live-shot", source: volume.id))
      }
      if let snapshot, let content = try await c.content(of: snapshot) {
        try c.expectEqual(Array(content[12345..<12354]), Array("live data".utf8), "content")
        try await backend.deleteSnapshot(snapshot.id, secrets: .none)
      }
      try await c.delete(volume)
    },
  ]

  static let clones = [
    ContractCheck("a clone equals its origin and then goes its own way") { c in
      guard c.backend is any CloningBackend else { return }
      var numbers = SeededNumbers(seed: 12)
      let origin = try await c.create("clone-origin")
      let bytes = numbers.bytes(1 << 20)
      _ = try await c.withDevice(origin.id) { try $0.write(at: 777, bytes) }
      let clone = try await c.create("clone", from: .volume(origin.id))
      try c.expectEqual(clone.source, .volume(origin.id), "source")
      let both = (try await c.content(of: clone) ?? [], try await c.content(of: origin) ?? [])
      try c.expect(sameBytes(both.0, both.1), "the content differs")
      _ = try await c.withDevice(clone.id) { try $0.write(at: 777, [UInt8](repeating: 1, count: 4096)) }
      if let content = try await c.content(of: origin) {
        try c.expect(Array(content[777..<777 + bytes.count]) == bytes, "writing to the clone changed the origin")
      }
      try await c.delete(origin)
      if let content = try await c.content(of: clone) {
        try c.expect(Array(content[777..<777 + 4096]) == [UInt8](repeating: 1, count: 4096), "the clone has changed")
      }
      try await c.expectError("notFound", "an unknown origin") {
        try await c.create("orphan", from: .volume(origin.id))
      }
      try await c.delete(clone)
    }
  ]

  static let groups = [
    ContractCheck("a group has a snapshot of every volume, and members go only with it") { c in
      guard let backend = c.backend as? any GroupSnapshottingBackend else { return }
      let a = try await c.create("member-a")
      let b = try await c.create("member-b")
      for (volume, text) in [(a, "AAAA"), (b, "BBBB")] {
        _ = try await c.withDevice(volume.id) { try $0.write(at: 4096, Array(text.utf8)) }
      }
      let group = try await backend.createGroupSnapshot(GroupSnapshotSpec(name: "group", sources: [a.id, b.id]))
      try c.expectEqual(Set(group.members.map(\.source)), [a.id, b.id], "sources")
      try c.expectEqual(Set(group.members.map(\.created)).count, 1, "points in time")
      let again = try await backend.createGroupSnapshot(GroupSnapshotSpec(name: "group", sources: [b.id, a.id]))
      try c.expectEqual(again.id, group.id, "the same group in another order")
      try c.expectEqual(try await backend.groupSnapshot(group.id), group, "by id")
      try c.expectEqual(try await backend.groupSnapshot(named: "group"), group, "by name")
      try await c.expectError("incompatible", "fewer volumes") {
        _ = try await backend.createGroupSnapshot(GroupSnapshotSpec(name: "group", sources: [a.id]))
      }
      for member in group.members {
        try c.expectEqual(member.group, group.id, "the member's group")
        try c.expectEqual(try await backend.snapshot(member.id), member, "the member by id")
        try await c.expectError("invalid", "delete a member alone") {
          try await backend.deleteSnapshot(member.id, secrets: .none)
        }
        if let content = try await c.content(of: member) {
          let text = member.source == a.id ? "AAAA" : "BBBB"
          try c.expectEqual(Array(content[4096..<4100]), Array(text.utf8), "content")
        }
      }
      try c.expectEqual(
        try await backend.snapshots(source: nil, after: nil, limit: 9).map(\.id),
        group.members.map(\.id).sorted(), "listed")
      try await backend.deleteGroupSnapshot(group.id, secrets: .none)
      try await backend.deleteGroupSnapshot(group.id, secrets: .none)
      try c.expect(try await backend.groupSnapshot(group.id) == nil, "the group is there")
      try c.expect(try await backend.snapshots(source: nil, after: nil, limit: 9).isEmpty, "members are left")
      try await c.delete(a)
      try await c.delete(b)
    },
    ContractCheck("a group with an unknown volume leaves nothing") { c in
      guard let backend = c.backend as? any GroupSnapshottingBackend else { return }
      let volume = try await c.create("lonely", mib: 1)
      try await c.expectError("notFound", "an unknown volume") {
        _ = try await backend.createGroupSnapshot(
          GroupSnapshotSpec(name: "half", sources: [volume.id, NativeID("no-such-volume")]))
      }
      try c.expect(try await backend.groupSnapshot(named: "half") == nil, "the group is there")
      try c.expect(try await backend.snapshots(source: nil, after: nil, limit: 9).isEmpty, "members are left")
      try await c.delete(volume)
    },
  ]
}
