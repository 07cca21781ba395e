import Storage

extension ContractCheck {
  /// Ids that nobody made: paths, controls, emptiness, length.
  static let hostileIDs = [
    "", ".", "..", "/", "../volumes", "a/b", "a/../b", "/etc/passwd", "nul\0byte", "volume.json", " ", "\n", "é\u{301}",
    "u5-../../x", "*", "-rf", "\u{202e}x", String(repeating: "x", count: 128), String(repeating: "y", count: 5000),
  ].map(NativeID.init)

  /// Names that the CSI specification allows: any Unicode but most control characters, at most 128 bytes.
  static let hardNames = [
    "a", "A", "pvc-5b2e9f70-1111-2222-3333-444455556666", "with space", "a/b", "../..", ".", "..", ".hidden", "-rf",
    "u5-looks-derived", "новый том", "名前", "😀", "e\u{301}", "\u{e9}", "tab\tnewline\nreturn\r", "quote\"back\\slash",
    "volume.json", "a:b", "%2e%2e", String(repeating: "n", count: 81), String(repeating: "n", count: 128),
    String(repeating: "😀", count: 32), String(repeating: "é", count: 64),
  ]

  static let volumes = [
    ContractCheck("a new volume is found by id and by name, with what was asked for") { c in
      let made = try await c.create("first")
      try c.expectEqual(made.capacity, .mib(16), "capacity")
      try c.expectEqual(made.name, "first", "name")
      try c.expectEqual(try await c.backend.volume(made.id), made, "by id")
      try c.expectEqual(try await c.backend.volume(named: "first"), made, "by name")
      if let id = c.backend.volumeID(forName: "first") { try c.expectEqual(id, made.id, "derived id") }
      try await c.delete(made)
      try c.expect(try await c.backend.volume(made.id) == nil, "the volume is there after its deletion")
      try c.expect(try await c.backend.volume(named: "first") == nil, "the name is there after the deletion")
    },
    ContractCheck("creating twice gives the same volume and leaves its data alone") { c in
      let made = try await c.create("twice")
      _ = try await c.withDevice(made.id) { try $0.write(at: 8192, Array("kept".utf8)) }
      try c.expectEqual(try await c.create("twice"), made, "the second answer")
      if let data = try await c.withDevice(made.id, { try $0.read(at: 8192, 4) }) {
        try c.expectEqual(data, Array("kept".utf8), "data")
      }
      try await c.delete(made)
    },
    ContractCheck("preparing again changes nothing") { c in
      let made = try await c.create("stays")
      try await c.backend.prepare()
      try await c.backend.checkReadiness()
      try c.expectEqual(try await c.backend.volume(made.id), made, "volume")
      try await c.delete(made)
    },
    ContractCheck("deleting twice succeeds, and so does deleting what never was") { c in
      let made = try await c.create("gone")
      try await c.delete(made)
      try await c.delete(made)
      for id in hostileIDs { try await c.backend.deleteVolume(id, secrets: .none) }
    },
    ContractCheck("hostile ids do not exist") { c in
      let made = try await c.create("bystander")
      for id in hostileIDs {
        try c.expect(try await c.backend.volume(id) == nil, "volume \(id.rawValue.debugDescription) exists")
        if let node = c.backend as? any NodeBackend {
          try c.expect(try await node.connected(id) == nil, "\(id.rawValue.debugDescription) is connected")
          try await node.disconnect(id)
          try await c.expectError("notFound", "connect") { _ = try await node.connect(id, NodeConnection()) }
          try await c.expectError("notFound", "refresh") { _ = try await node.refreshSize(id) }
          try await c.expectError("notFound", "state") { _ = try await node.formatState(id) }
        }
        if let backend = c.backend as? any AttachableBackend {
          try await backend.detach(id, from: nil, secrets: .none)
        }
        if let backend = c.backend as? any SnapshottingBackend {
          try c.expect(try await backend.snapshot(id) == nil, "snapshot \(id.rawValue.debugDescription) exists")
          try await backend.deleteSnapshot(id, secrets: .none)
        }
        if let backend = c.backend as? any GroupSnapshottingBackend {
          try c.expect(try await backend.groupSnapshot(id) == nil, "group \(id.rawValue.debugDescription) exists")
          try await backend.deleteGroupSnapshot(id, secrets: .none)
        }
      }
      try c.expectEqual(try await c.backend.volume(made.id), made, "the bystander")
      try await c.delete(made)
    },
    ContractCheck("every name that the specification allows makes a volume of its own") { c in
      var made: [Volume] = []
      for name in hardNames { made.append(try await c.create(name, mib: 1)) }
      try c.expectEqual(Set(made.map(\.id)).count, hardNames.count, "different ids")
      for volume in made {
        try c.expect(volume.id.rawValue.utf8.count <= 128, "the id \(volume.id) is longer than 128 bytes")
        let found = try await c.backend.volume(named: volume.name)
        try c.expectEqual(found, volume, "by name \(volume.name.debugDescription)")
        try c.expect(
          found.map { Array($0.name.utf8) == Array(volume.name.utf8) } ?? false, "the name's bytes have changed")
        try await c.delete(volume)
      }
    },
    ContractCheck("sizes are exact, rounded up inside the limit, or refused") { c in
      let exact = try await c.backend.createVolume(
        VolumeSpec(name: "exact", capacity: try .exactly(.mib(20)), capabilities: [Contract.writer]))
      try c.expectEqual(exact.capacity, .mib(20), "exact size")
      let rounded = try await c.backend.createVolume(
        VolumeSpec(name: "odd", capacity: try .atLeast(ByteCount(20_000_001)), capabilities: [Contract.writer]))
      try c.expect(rounded.capacity.bytes >= 20_000_001, "a volume below required_bytes")
      try c.expect(rounded.capacity.bytes < 40_000_000, "a volume far above required_bytes")
      try await c.expectError("outOfRange", "no multiple of the unit fits") {
        let range = try CapacityRange(requiredBytes: 20_000_001, limitBytes: 20_000_002)
        _ = try await c.backend.createVolume(
          VolumeSpec(name: "tight", capacity: range, capabilities: [Contract.writer]))
      }
      try await c.expectError("outOfRange", "a size beyond every maximum") {
        _ = try await c.backend.createVolume(
          VolumeSpec(name: "huge", capacity: try .atLeast(ByteCount(.max - 5)), capabilities: [Contract.writer]))
      }
      try c.expect(try await c.backend.volume(named: "huge") == nil, "a refused volume is there")
      try await c.delete(exact)
      try await c.delete(rounded)
    },
    ContractCheck("more than the capacity is refused as exhausted and leaves nothing") { c in
      let before = try await c.backend.capacity(CapacityQuery())
      try await c.expectError("exhausted", "one byte too many") {
        let size = ByteCount(before.available.bytes + (64 << 20))
        _ = try await c.backend.createVolume(
          VolumeSpec(name: "toomuch", capacity: try .atLeast(size), capabilities: [Contract.writer]))
      }
      try c.expect(try await c.backend.volume(named: "toomuch") == nil, "a refused volume is there")
      let after = try await c.backend.capacity(CapacityQuery())
      try c.expect(after.available >= before.available - .mib(8), "capacity has shrunk")
    },
    ContractCheck("capacity falls by a new volume's size and comes back with its deletion") { c in
      let before = try await c.backend.capacity(CapacityQuery()).available
      let made = try await c.create("promise", mib: 64)
      let during = try await c.backend.capacity(CapacityQuery()).available
      try c.expect(before - during >= .mib(60), "64 MiB were promised and only \(before - during) are taken")
      try await c.delete(made)
      let after = try await c.backend.capacity(CapacityQuery()).available
      try c.expect(after >= before - .mib(8), "\(before - after) have not come back")
    },
    ContractCheck("capacity is zero for what nothing satisfies") { c in
      let elsewhere = Topology(["example.org/no-such-key": "nowhere"])
      if !c.backend.topologies.isEmpty {
        try c.expectEqual(
          try await c.backend.capacity(CapacityQuery(topology: elsewhere)).available, .zero, "nowhere")
        try await c.expectError("exhausted", "create nowhere") {
          _ = try await c.backend.createVolume(
            VolumeSpec(
              name: "nowhere", capabilities: [Contract.writer],
              topology: TopologyRequirement(requisite: [elsewhere], preferred: [])))
        }
      }
      let modes = c.backend.accessModes(for: .block)
      for mode in AccessMode.allCases where !modes.contains(mode) {
        let capability = VolumeCapability(.block, mode)
        try c.expectEqual(
          try await c.backend.capacity(CapacityQuery(capabilities: [capability])).available, .zero, mode.rawValue)
        try await c.expectError("invalid", "create with \(mode.rawValue)") {
          try await c.create("mode", capabilities: [capability])
        }
      }
    },
    ContractCheck("unknown parameters are invalid and canonical ones stay as they are") { c in
      try await c.expectError("invalid", "an unknown key") {
        _ = try c.backend.canonical(parameters: ["no-such-key": "x"])
      }
      let none = try c.backend.canonical(parameters: [:])
      try c.expectEqual(try c.backend.canonical(parameters: none), none, "canonical twice")
    },
    ContractCheck("volumes of different names are made and deleted at the same time") { c in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<16 {
          group.addTask {
            for round in 0..<3 {
              let made = try await c.create("parallel-\(number)-\(round)", mib: 1)
              try c.expectEqual(try await c.backend.volume(made.id), made, "volume")
              try await c.delete(made)
            }
          }
        }
        try await group.waitForAll()
      }
      if let listable = c.backend as? any ListableBackend {
        try c.expect(try await listable.volumes(after: nil, limit: 10).isEmpty, "volumes are left")
      }
    },
  ]

  static let listing = [
    ContractCheck("pages hold every volume once, in ascending order of id") { c in
      guard let backend = c.backend as? any ListableBackend else { return }
      var made: [Volume] = []
      for number in 0..<11 { made.append(try await c.create("list-\(number * 7 % 11)", mib: 1)) }
      made.append(try await c.create("größer", mib: 1))
      for limit in [1, 3, 12, 100] {
        var listed: [Volume] = []
        while true {
          let page = try await backend.volumes(after: listed.last?.id, limit: limit)
          try c.expect(page.count <= limit, "a page of \(page.count) for \(limit)")
          if page.isEmpty { break }
          listed += page
        }
        try c.expectEqual(listed, made.sorted { $0.id < $1.id }, "pages of \(limit)")
      }
      for volume in made { try await c.delete(volume) }
      try c.expect(try await backend.volumes(after: nil, limit: 9).isEmpty, "volumes are left")
    },
    ContractCheck("deletes and creates between pages neither repeat nor drop other volumes") { c in
      guard let backend = c.backend as? any ListableBackend else { return }
      var made: [Volume] = []
      for number in 10..<20 { made.append(try await c.create("page-\(number)", mib: 1)) }
      made.sort { $0.id < $1.id }
      let first = try await backend.volumes(after: nil, limit: 5)
      try c.expectEqual(first, Array(made.prefix(5)), "the first page")
      // The last one told goes, one told before goes, and new ones come on either side.
      try await c.delete(made[4])
      try await c.delete(made[1])
      let low = try await c.create("page-09", mib: 1)
      let high = try await c.create("page-99", mib: 1)
      let second = try await backend.volumes(after: first.last?.id, limit: 100)
      let left = Set(made.suffix(5).map(\.id))
      try c.expect(left.isSubset(of: Set(second.map(\.id))), "a volume was dropped")
      try c.expect(Set(first.map(\.id)).isDisjoint(with: second.map(\.id)), "a volume was repeated")
      for volume in made + [low, high] { try await c.delete(volume) }
    },
    ContractCheck("listing after any id works, whether it exists or not") { c in
      guard let backend = c.backend as? any ListableBackend else { return }
      let made = try await c.create("m", mib: 1)
      for id in hostileIDs {
        let expected = id < made.id ? [made] : []
        try c.expectEqual(try await backend.volumes(after: id, limit: 9), expected, "after \(id)")
      }
      try await c.delete(made)
    },
  ]
}
