import Storage

extension ContractCheck {
  static let blocks = [
    ContractCheck("allocated and changed blocks cover every byte that matters") { c in
      guard let backend = c.backend as? any ChangedBlockBackend, c.backend is any NodeBackend else { return }
      for seed in 1...4 as ClosedRange<UInt64> { try await c.checkBlocks(backend, seed: seed) }
    },
    ContractCheck("block lists refuse offsets, ids and pairs that make no sense") { c in
      guard let backend = c.backend as? any ChangedBlockBackend else { return }
      let a = try await c.create("meta-a", mib: 1)
      let b = try await c.create("meta-b", mib: 1)
      let first = try await backend.createSnapshot(SnapshotSpec(name: "meta-1", source: a.id))
      let second = try await backend.createSnapshot(SnapshotSpec(name: "meta-2", source: b.id))
      let missing = NativeID("no-such-snapshot")
      for offset in [-1, 1 << 20, .max] as [Int64] {
        try await c.expectError("outOfRange", "allocated from \(offset)") {
          try await backend.allocatedBlocks(of: first.id, from: offset) { _ in }
        }
        try await c.expectError("outOfRange", "changed from \(offset)") {
          try await backend.changedBlocks(from: first.id, to: first.id, offset: offset) { _ in }
        }
      }
      try await c.expectError("notFound", "allocated of nothing") {
        try await backend.allocatedBlocks(of: missing, from: 0) { _ in }
      }
      try await c.expectError("notFound", "changed since nothing") {
        try await backend.changedBlocks(from: missing, to: first.id, offset: 0) { _ in }
      }
      try await c.expectError("invalid", "changed between different volumes") {
        try await backend.changedBlocks(from: first.id, to: second.id, offset: 0) { _ in }
      }
      for snapshot in [first, second] { try await backend.deleteSnapshot(snapshot.id, secrets: .none) }
      for volume in [a, b] { try await c.delete(volume) }
    },
    ContractCheck("an error of the reader ends the telling of blocks") { c in
      guard let backend = c.backend as? any ChangedBlockBackend else { return }
      let volume = try await c.create("reader", mib: 1)
      let empty = try await backend.createSnapshot(SnapshotSpec(name: "reader-0", source: volume.id))
      guard try await c.withDevice(volume.id, { try $0.write(at: 0, [UInt8](repeating: 1, count: 8192)) }) != nil
      else { return }
      let full = try await backend.createSnapshot(SnapshotSpec(name: "reader-1", source: volume.id))
      try await c.expectError("unavailable", "allocated") {
        try await backend.allocatedBlocks(of: full.id, from: 0) { _ in throw StorageError.unavailable("gone") }
      }
      try await c.expectError("unavailable", "changed") {
        try await backend.changedBlocks(from: empty.id, to: full.id, offset: 0) { _ in
          throw StorageError.unavailable("gone")
        }
      }
      for snapshot in [empty, full] { try await backend.deleteSnapshot(snapshot.id, secrets: .none) }
      try await c.delete(volume)
    },
  ]
}

extension Contract {
  private static let block = 4096

  /// Writes at random, takes a snapshot, writes more, grows the volume, takes another, and holds the lists against the
  /// contents.
  fileprivate func checkBlocks(_ backend: any ChangedBlockBackend, seed: UInt64) async throws {
    var numbers = SeededNumbers(seed: seed)
    let volume = try await create("blocks-\(seed)", mib: 8)
    try await scribble(volume.id, 8 << 20, &numbers)
    let base = try await backend.createSnapshot(SnapshotSpec(name: "base-\(seed)", source: volume.id))
    var size = 8 << 20
    if seed % 2 == 0, let expandable = backend as? any ExpandableBackend {
      _ = try await expandable.expand(volume.id, to: .exactly(.mib(12)), secrets: .none)
      size = 12 << 20
    }
    try await scribble(volume.id, size, &numbers)
    let target = try await backend.createSnapshot(SnapshotSpec(name: "target-\(seed)", source: volume.id))

    guard let old = try await content(of: base), let new = try await content(of: target) else { return }
    let padded = old + [UInt8](repeating: 0, count: new.count - old.count)
    let zeros = [UInt8](repeating: 0, count: new.count)
    for offset in [0, 4096, 5000, (3 << 20) + 1, size - 1] {
      let allocated = try await ranges { try await backend.allocatedBlocks(of: target.id, from: Int64(offset), $0) }
      try check(allocated, from: offset, size: size, cover: new, against: zeros, "allocated, seed \(seed)")
      let changed = try await ranges {
        try await backend.changedBlocks(from: base.id, to: target.id, offset: Int64(offset), $0)
      }
      try check(changed, from: offset, size: size, cover: new, against: padded, "changed, seed \(seed)")
    }
    let same = try await ranges {
      try await backend.changedBlocks(from: target.id, to: target.id, offset: 0, $0)
    }
    try check(same, from: 0, size: size, cover: new, against: new, "nothing changed, seed \(seed)")
    for snapshot in [base, target] { try await backend.deleteSnapshot(snapshot.id, secrets: .none) }
    try await delete(volume)
  }

  /// Small and large writes at any offset, some of zeros.
  private func scribble(_ id: NativeID, _ size: Int, _ numbers: inout SeededNumbers) async throws {
    var writes: [(Int, [UInt8])] = []
    for _ in 0..<24 {
      let length = Int.random(in: 0..<4, using: &numbers) == 0 ? 200_000 : Int.random(in: 1..<9000, using: &numbers)
      let offset = Int.random(in: 0..<(size - length), using: &numbers)
      let isZero = Int.random(in: 0..<5, using: &numbers) == 0
      writes.append((offset, isZero ? [UInt8](repeating: 0, count: length) : numbers.bytes(length)))
    }
    let all = writes
    _ = try await withDevice(id) { device in for (offset, bytes) in all { try device.write(at: offset, bytes) } }
  }

  private func ranges(
    _ tell: (([BlockRange]) async throws -> Void) async throws -> Void
  ) async throws -> [BlockRange] {
    var all: [BlockRange] = []
    try await tell { all += $0 }
    return all
  }

  private func check(
    _ ranges: [BlockRange], from offset: Int, size: Int, cover new: [UInt8], against old: [UInt8], _ what: String
  ) throws {
    var end: Int64 = 0
    var covered = [Bool](repeating: false, count: (size + Self.block - 1) / Self.block)
    for (index, range) in ranges.enumerated() {
      try expect(range.length > 0 && range.offset >= end, "\(what): range \(range) is empty or out of order")
      if index == 0 {
        try expect(range.offset + range.length > offset, "\(what): the first range ends before \(offset)")
      }
      end = range.offset + range.length
      try expect(end <= size, "\(what): range \(range) passes the end")
      for block in Int(range.offset) / Self.block..<(Int(end) + Self.block - 1) / Self.block { covered[block] = true }
    }
    for block in offset / Self.block..<covered.count where !covered[block] {
      let bytes = max(offset, block * Self.block)..<min((block + 1) * Self.block, size)
      try expect(sameBytes(new, old, in: bytes), "\(what): the difference in block \(block) was left out")
    }
  }
}
