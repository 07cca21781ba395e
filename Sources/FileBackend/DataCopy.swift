import Glibc
import Host
import Storage

/// One file made from another: blocks shared where possible, else the allocated ranges copied and holes left holes.
struct DataCopy: Sendable {
  let from: String
  /// What is copied of `from`, and the new file's size.
  let size: ByteCount
  /// Must not exist.
  let to: String

  /// Blocks until all is copied; nothing is durable yet.
  /// - Throws: `.dataLoss` when the source is missing or short, `.exhausted`; `to` may then be left incomplete.
  func run(_ disk: Disk, sharing: Bool) throws {
    guard let usage = try disk.usage(of: from) else { throw StorageError.dataLoss("\(from) is missing") }
    guard usage.size >= size else { throw StorageError.dataLoss("\(from) is shorter than its record says") }
    let source = try disk.open(from, O_RDONLY)
    let target = try disk.open(to, O_RDWR | O_CREAT | O_EXCL)
    if sharing {
      guard try Disk.storage(to, { try Reflink.clone(from: source.raw, to: target.raw) }) else {
        throw StorageError.failed("\(to) cannot share the blocks of \(from)")
      }
      // A source that is in the middle of growing is longer than its record.
      if usage.size > size { try disk.resize(target, to: size) }
      return
    }
    try disk.resize(target, to: size)
    try copyData(from: source, to: target)
  }

  private func copyData(from source: borrowing OpenFile, to target: borrowing OpenFile) throws {
    var offset: Int64 = 0
    while offset < size.bytes, let data = try nextData(source, from: offset), data.lowerBound < size.bytes {
      offset = data.lowerBound
      let end = min(data.upperBound, size.bytes)
      while offset < end {
        let count = try Disk.storage(to) { try FileSpace.copy(offset..<end, from: source.raw, to: target.raw) }
        guard count > 0 else { throw StorageError.dataLoss("\(from) ends early") }
        offset += count
      }
    }
  }

  private func nextData(_ source: borrowing OpenFile, from offset: Int64) throws -> Range<Int64>? {
    try Disk.storage(from) { try Extents.nextData(of: source.raw, from: offset) }
  }
}
