import CLinux
import Glibc
import Storage

/// The parts of a sparse file that hold data.
package enum Extents {
  /// The data ranges of an open file in order, not touching each other, by SEEK_DATA and SEEK_HOLE (lseek(2)). File
  /// systems without knowledge of holes answer with the whole file.
  ///
  /// The file's position changes.
  /// - Throws: `SystemCallError`.
  package static func data(of fd: Int32) throws -> [Range<Int64>] {
    var ranges: [Range<Int64>] = []
    var offset: Int64 = 0
    while let range = try nextData(of: fd, from: offset) {
      ranges.append(range)
      offset = range.upperBound
    }
    return ranges
  }

  /// The first data range at or after `offset`, or nil when only a hole is left. For files too large to list at once.
  /// - Throws: `SystemCallError`.
  package static func nextData(of fd: Int32, from offset: Int64) throws -> Range<Int64>? {
    let start = cl_seek_data(fd, offset)
    if start == -Int64(ENXIO) { return nil }
    try check(start, "lseek SEEK_DATA")
    let end = cl_seek_hole(fd, start)
    // ENXIO: the file was truncated since.
    if end == -Int64(ENXIO) || end == start { return nil }
    return start..<(try check(end, "lseek SEEK_HOLE"))
  }
}

/// Files that share blocks (xfs, btrfs).
package enum Reflink {
  /// Makes all of the open file `to` share the blocks of `from` (FICLONE). Atomic.
  /// - Returns: false when the file system cannot do that (nothing was changed).
  /// - Throws: `SystemCallError`.
  package static func clone(from: Int32, to: Int32) throws -> Bool {
    let result = cl_clone(to, from)
    switch -result {
    case EOPNOTSUPP, EXDEV, EINVAL, ENOTTY, ENOSYS: return false
    default:
      try check(result, "FICLONE")
      return true
    }
  }
}

/// Where a file's bytes lie on its file system (FS_IOC_FIEMAP).
package enum Fiemap {
  package struct Extent: Hashable, Sendable {
    /// In bytes from the file's start.
    package let logical: Int64
    /// In bytes on the file system's device; meaningless for some flags.
    package let physical: Int64
    package let length: Int64
    /// FIEMAP_EXTENT_ bits.
    package let flags: UInt32

    package init(logical: Int64, physical: Int64, length: Int64, flags: UInt32) {
      self.logical = logical
      self.physical = physical
      self.length = length
      self.flags = flags
    }

    /// Allocated but reads as zeros.
    package var isUnwritten: Bool { flags & CL_EXTENT_UNWRITTEN != 0 }
    /// Other files may use the same blocks.
    package var isShared: Bool { flags & CL_EXTENT_SHARED != 0 }
    package var range: Range<Int64> { logical..<(logical + length) }
  }

  /// All extents of the open file, in order; delayed writes are written out first.
  /// - Throws: `SystemCallError` (EOPNOTSUPP where the file system has no extents).
  package static func extents(_ fd: Int32) throws -> [Extent] {
    var found: [Extent] = []
    var start: Int64 = 0
    while true {
      let batch = try extents(fd, from: start)
      found.append(contentsOf: batch)
      guard let last = batch.last, last.flags & CL_EXTENT_LAST == 0 else { return found }
      start = last.logical + last.length
    }
  }

  /// Up to 512 extents that begin at or reach over `start`; empty when there is none. An extent without
  /// `FIEMAP_EXTENT_LAST` at the end means: ask again behind it.
  /// - Throws: `SystemCallError`.
  package static func extents(_ fd: Int32, from start: Int64) throws -> [Extent] {
    let batch = try withUnsafeTemporaryAllocation(of: cl_extent.self, capacity: 512) { buffer in
      let length = UInt64(Int64.max) - UInt64(start)
      let found = try check(cl_fiemap(fd, UInt64(start), length, buffer.baseAddress, 512), "FS_IOC_FIEMAP")
      return Array(buffer.prefix(Int(found)))
    }
    return batch.map {
      Extent(
        logical: Int64(clamping: $0.logical), physical: Int64(clamping: $0.physical),
        length: Int64(clamping: $0.length), flags: $0.flags)
    }
  }
}

/// Space of files.
package enum FileSpace {
  /// Allocates `range`, extending the file where it reaches past its end (fallocate(2)).
  /// - Returns: false when the file system cannot allocate ahead.
  /// - Throws: `SystemCallError`: ENOSPC and the like.
  package static func allocate(_ fd: Int32, _ range: Range<Int64>) throws -> Bool {
    guard !range.isEmpty else { return true }
    var result = cl_allocate(fd, range.lowerBound, range.upperBound - range.lowerBound)
    while result == -EINTR { result = cl_allocate(fd, range.lowerBound, range.upperBound - range.lowerBound) }
    if result == -EOPNOTSUPP || result == -ENOSYS { return false }
    try check(result, "fallocate")
    return true
  }

  /// Gives the blocks of `range` back; it reads as zeros (FALLOC_FL_PUNCH_HOLE).
  /// - Returns: false when the file system cannot do that.
  /// - Throws: `SystemCallError`.
  package static func punchHole(_ fd: Int32, _ range: Range<Int64>) throws -> Bool {
    guard !range.isEmpty else { return true }
    let result = cl_punch_hole(fd, range.lowerBound, range.upperBound - range.lowerBound)
    if result == -EOPNOTSUPP || result == -ENOSYS { return false }
    try check(result, "fallocate")
    return true
  }

  /// Copies a range at the same offset from one open file to another within the kernel (copy_file_range(2)), or with
  /// read and write where the kernel cannot.
  /// - Returns: how many bytes were copied: fewer than asked when `from` ends, and at most 64 MiB a call.
  /// - Throws: `SystemCallError`.
  package static func copy(_ range: Range<Int64>, from: Int32, to: Int32) throws -> Int64 {
    let length = Int(min(range.upperBound - range.lowerBound, 64 << 20))
    while true {
      let copied = cl_copy_range(from, range.lowerBound, to, range.lowerBound, length)
      switch -copied {
      case Int64(EINTR): continue
      case Int64(EXDEV), Int64(EINVAL), Int64(EOPNOTSUPP), Int64(ENOSYS), Int64(EPERM):
        return try copyByHand(range.lowerBound, min(length, 1 << 20), from: from, to: to)
      default: return try check(copied, "copy_file_range")
      }
    }
  }

  private static func copyByHand(_ offset: Int64, _ length: Int, from: Int32, to: Int32) throws -> Int64 {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 4096)
    defer { buffer.deallocate() }
    var count: Int
    repeat { count = pread(from, buffer.baseAddress, length, off_t(offset)) } while count < 0 && errno == EINTR
    try checkLibc(count, "pread")
    var written = 0
    while written < count {
      let step = pwrite(to, buffer.baseAddress?.advanced(by: written), count - written, off_t(offset) + off_t(written))
      if step < 0, errno == EINTR { continue }
      written += try checkLibc(step, "pwrite")
    }
    return Int64(count)
  }
}
