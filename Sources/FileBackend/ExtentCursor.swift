import Glibc
import Host
import Storage

/// Walks a file from its beginning to its end and tells which parts are holes and where the others lie.
struct ExtentCursor {
  enum Kind: Equatable {
    /// Reads as zeros.
    case hole
    /// Content at this byte of the host's disk: equal places of two files that never change hold equal content.
    case placed(Int64)
    /// Content whose place says nothing about it (compressed, inline, not yet written out).
    case content
  }

  private let descriptor: Int32
  private let path: String
  /// Where holes begin although the file system may tell nothing of them.
  private let size: Int64
  private var extents: [Fiemap.Extent] = []
  private var next = 0
  /// No extents lie at or above this offset other than those in `extents`.
  private var mapped: Int64 = 0
  private var tellsPlaces = true

  // FIEMAP_EXTENT_LAST (linux/fiemap.h).
  private static let last: UInt32 = 0x1
  // FIEMAP_EXTENT_UNKNOWN, _DELALLOC, _ENCODED, _DATA_ENCRYPTED, _NOT_ALIGNED, _DATA_INLINE, _DATA_TAIL (linux/fiemap.h).
  private static let placeless: UInt32 = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400

  init(_ file: borrowing OpenFile, size: ByteCount) {
    descriptor = file.raw
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
    guard let data = try Extents.nextData(of: descriptor, from: offset) else { return (.hole, .max) }
    return data.lowerBound > offset ? (.hole, data.lowerBound) : (.content, data.upperBound)
  }

  /// nil when the file system has no FIEMAP.
  private mutating func mappedPart(at offset: Int64) throws -> (kind: Kind, end: Int64)? {
    while true {
      while next < extents.count, extents[next].range.upperBound <= offset { next += 1 }
      if next < extents.count {
        let extent = extents[next]
        let end = extent.range.upperBound
        if extent.logical > offset { return (.hole, extent.logical) }
        if extent.isUnwritten { return (.hole, end) }
        if extent.flags & Self.placeless != 0 { return (.content, end) }
        return (.placed(extent.physical + (offset - extent.logical)), end)
      }
      if mapped >= size { return (.hole, .max) }
      guard try fill(from: max(offset, mapped)) else { return nil }
    }
  }

  private mutating func fill(from offset: Int64) throws -> Bool {
    do {
      extents = try Fiemap.extents(descriptor, from: offset)
    } catch let error as SystemCallError where [EOPNOTSUPP, ENOTTY, EINVAL].contains(error.errno) {
      return false
    }
    next = 0
    let last = extents.last.flatMap { $0.flags & Self.last == 0 ? $0 : nil }
    mapped = last.map { max($0.range.upperBound, offset + 1) } ?? size
    return true
  }
}
