import CLinux
import Glibc
import Storage

/// Walks a file from its beginning to its end and tells which parts are holes and where the others lie.
struct ExtentCursor {
  enum Kind: Equatable {
    /// Reads as zeros.
    case hole
    /// Content at this byte of the host's disk: equal places of two files that never change hold equal content.
    case placed(UInt64)
    /// Content whose place says nothing about it (compressed, inline, not yet written out).
    case content
  }

  private let descriptor: Int32
  private let path: String
  /// Where holes begin although the file system may tell nothing of them.
  private let size: Int64
  private var extents: [cl_extent] = []
  private var next = 0
  /// No extents lie at or above this offset other than those in `extents`.
  private var mapped: Int64 = 0
  private var tellsPlaces = true

  // FIEMAP_EXTENT_UNKNOWN, _DELALLOC, _ENCODED, _DATA_ENCRYPTED, _NOT_ALIGNED, _DATA_INLINE, _DATA_TAIL (linux/fiemap.h).
  private static let placeless: UInt32 = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400

  init(_ file: borrowing OpenFile, size: ByteCount) {
    descriptor = file.descriptor
    path = file.path
    self.size = size.bytes
  }

  /// What is at `offset`, and where that ends. Offsets of successive calls must not fall.
  mutating func part(at offset: Int64) throws -> (kind: Kind, end: Int64) {
    guard offset < size else { return (.hole, .max) }
    if tellsPlaces {
      if let part = try mappedPart(at: offset) { return part }
      tellsPlaces = false
    }
    let data = cl_seek_data(descriptor, offset)
    if data == Int64(-ENXIO) { return (.hole, .max) }
    try Disk.check(data, "lseek", path)
    if data > offset { return (.hole, data) }
    return (.content, try Disk.check(cl_seek_hole(descriptor, offset), "lseek", path))
  }

  /// nil when the file system has no FIEMAP.
  private mutating func mappedPart(at offset: Int64) throws -> (kind: Kind, end: Int64)? {
    while true {
      while next < extents.count, extents[next].end <= offset { next += 1 }
      if next < extents.count {
        let extent = extents[next]
        if extent.start > offset { return (.hole, extent.start) }
        if extent.flags & UInt32(CL_EXTENT_UNWRITTEN) != 0 { return (.hole, extent.end) }
        if extent.flags & Self.placeless != 0 { return (.content, extent.end) }
        return (.placed(extent.physical + UInt64(offset - extent.start)), extent.end)
      }
      if mapped >= size { return (.hole, .max) }
      guard try fill(from: max(offset, mapped)) else { return nil }
    }
  }

  private mutating func fill(from offset: Int64) throws -> Bool {
    var batch = [cl_extent](repeating: cl_extent(), count: 512)
    let count = cl_fiemap(descriptor, UInt64(offset), UInt64(size - offset), &batch, UInt32(batch.count))
    if [-EOPNOTSUPP, -ENOTTY, -EINVAL].contains(count) { return false }
    extents = Array(batch[..<Int(try Disk.check(count, "FS_IOC_FIEMAP", path))])
    next = 0
    let isLast = extents.count < batch.count || (extents.last?.flags ?? 0) & UInt32(CL_EXTENT_LAST) != 0
    mapped = isLast ? size : max(extents.last?.end ?? size, offset + 1)
    return true
  }
}

extension cl_extent {
  fileprivate var start: Int64 { Int64(clamping: logical) }
  fileprivate var end: Int64 { Int64(clamping: logical.addingReportingOverflow(length).partialValue) }
}
