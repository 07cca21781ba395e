import Glibc
import Host
import Storage

extension FileBackend: ChangedBlockBackend {
  /// Ranges begin and end on multiples of this many bytes; contents are compared in such blocks.
  private static let block: Int64 = 4096

  package func allocatedBlocks(
    of snapshot: NativeID, from offset: Int64, _ body: ([BlockRange]) async throws -> Void
  ) async throws {
    let record = try readable(snapshot, from: offset)
    let file = try disk.open(layout.data(of: record), O_RDONLY)
    var ranges = BlockRangeCollector(from: offset, size: record.size.bytes)
    var at = offset / Self.block * Self.block
    while at < record.size.bytes {
      guard let data = try Extents.nextData(of: file.raw, from: at) else { break }
      let start = data.lowerBound / Self.block * Self.block
      let end = min((data.upperBound + Self.block - 1) / Self.block * Self.block, record.size.bytes)
      try ranges.add(max(start, at)..<end, blockSize: Self.block)
      if let batch = ranges.takeBatch() { try await body(batch) }
      at = end
    }
    let rest = ranges.takeAll()
    if !rest.isEmpty { try await body(rest) }
  }

  package func changedBlocks(
    from base: NativeID, to target: NativeID, offset: Int64, _ body: ([BlockRange]) async throws -> Void
  ) async throws {
    let new = try readable(target, from: offset)
    let old = try readable(base, from: 0)
    guard old.source == new.source else { throw StorageError.invalid("the snapshots are of different volumes") }
    let newFile = try disk.open(layout.data(of: new), O_RDONLY)
    let oldFile = try disk.open(layout.data(of: old), O_RDONLY)
    var newParts = ExtentCursor(newFile, size: new.size)
    var oldParts = ExtentCursor(oldFile, size: old.size)
    var comparison = Comparison()
    var ranges = BlockRangeCollector(from: offset, size: new.size.bytes)
    var at = offset / Self.block * Self.block
    while at < new.size.bytes {
      let (newKind, newEnd) = try newParts.part(at: at)
      let (oldKind, oldEnd) = try oldParts.part(at: at)
      let end = min(newEnd, oldEnd, new.size.bytes)
      // Both holes, or both the same bytes of the host's disk.
      if newKind == oldKind, newKind != .content {
        at = end
        continue
      }
      // A bounded step: ranges reach the reader while the comparison goes on.
      let step = min(at + Comparison.most, (end + Self.block - 1) / Self.block * Self.block, new.size.bytes)
      try comparison.run(newFile, oldFile, from: at, to: step, block: Self.block, into: &ranges)
      if let batch = ranges.takeBatch() { try await body(batch) }
      at = step
    }
    let rest = ranges.takeAll()
    if !rest.isEmpty { try await body(rest) }
  }

  /// - Throws: `.notFound`, `.outOfRange` for an offset outside the snapshot, `.dataLoss` when its data is missing.
  private func readable(_ id: NativeID, from offset: Int64) throws -> SnapshotRecord {
    guard let record = try snapshotRecord(id) else {
      throw StorageError.notFound("there is no snapshot \(id.shortened)")
    }
    guard offset >= 0, offset < record.size.bytes else {
      throw StorageError.outOfRange("offset \(offset) is not inside the \(record.size.bytes) bytes of the snapshot")
    }
    guard try disk.usage(of: layout.data(of: record)) != nil else {
      throw StorageError.dataLoss("the data of snapshot \(id) is missing")
    }
    return record
  }
}

/// Compares two files by their content; what lies past a file's end counts as zeros.
private struct Comparison {
  /// The most bytes for one `run`.
  static let most: Int64 = 1 << 20
  private var a: [UInt8] = []
  private var b: [UInt8] = []

  mutating func run(
    _ first: borrowing OpenFile, _ second: borrowing OpenFile, from start: Int64, to end: Int64, block: Int64,
    into ranges: inout BlockRangeCollector
  ) throws {
    let length = Int(end - start)
    try Self.read(first, at: start, length, into: &a)
    try Self.read(second, at: start, length, into: &b)
    for at in stride(from: 0, to: length, by: Int(block)) {
      let count = min(Int(block), length - at)
      let isEqual = a.withUnsafeBytes { a in
        b.withUnsafeBytes { b in
          guard let a = a.baseAddress, let b = b.baseAddress else { return true }
          return memcmp(a + at, b + at, count) == 0
        }
      }
      if !isEqual { try ranges.add(start + Int64(at)..<start + Int64(at + count), blockSize: block) }
    }
  }

  private static func read(
    _ file: borrowing OpenFile, at offset: Int64, _ length: Int, into buffer: inout [UInt8]
  ) throws {
    if buffer.count != length { buffer = [UInt8](repeating: 0, count: length) }
    var filled = 0
    while filled < length {
      let count = buffer.withUnsafeMutableBytes {
        pread(file.raw, $0.baseAddress?.advanced(by: filled), length - filled, off_t(offset) + filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Disk.error("read", file.path, errno) }
      if count == 0 { break }
      filled += count
    }
    for at in filled..<length { buffer[at] = 0 }
  }
}
