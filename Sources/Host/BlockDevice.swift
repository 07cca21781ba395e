import CLinux
import Glibc
import Storage

/// What can be asked of and done to any block device, by ioctl (linux/fs.h).
package enum BlockDevice {
  /// The device's size now (BLKGETSIZE64).
  /// - Throws: `SystemCallError`.
  package static func size(_ path: String) throws -> ByteCount {
    let device = try Descriptor(opening: path, O_RDONLY)
    return try size(of: device, path)
  }

  static func size(of device: borrowing Descriptor, _ path: String) throws -> ByteCount {
    var bytes: UInt64 = 0
    try check(cl_block_size(device.raw, &bytes), "BLKGETSIZE64", path)
    return ByteCount(Int64(clamping: bytes))
  }

  /// Whether the kernel refuses writes to the device (BLKROGET).
  /// - Throws: `SystemCallError`.
  package static func isReadOnly(_ path: String) throws -> Bool {
    let device = try Descriptor(opening: path, O_RDONLY)
    var readOnly = false
    try check(cl_block_get_read_only(device.raw, &readOnly), "BLKROGET", path)
    return readOnly
  }

  /// Lets the kernel refuse, or take, writes to the device through any of its nodes (BLKROSET).
  /// - Throws: `SystemCallError`.
  package static func setReadOnly(_ path: String, _ readOnly: Bool) throws {
    let device = try Descriptor(opening: path, O_RDONLY)
    try check(cl_block_set_read_only(device.raw, readOnly), "BLKROSET", path)
  }

  /// Writes the device's cached pages out and drops them (fsync, BLKFLSBUF), so that whoever reads the backing store
  /// next sees what was written.
  /// - Throws: `SystemCallError`.
  package static func flush(_ path: String) throws {
    let device = try Descriptor(opening: path, O_RDONLY)
    HostCounters.countSync()
    try check(cl_block_flush(device.raw), "BLKFLSBUF", path)
  }

  /// Overwrites ranges of bytes with zeroes (BLKZEROOUT), durably; devices that can do that themselves are told to. The
  /// device must be nobody else's: neither mounted nor part of another device.
  /// - Parameter ranges: multiples of 4096.
  /// - Throws: `SystemCallError`; EBUSY when somebody holds the device.
  package static func zero(_ path: String, _ ranges: [Range<Int64>], exclusively: Bool = true) throws {
    let device = try Descriptor(opening: path, O_RDWR | (exclusively ? O_EXCL : 0))
    // In pieces: one request for a large device could not be interrupted by anything.
    let piece = 64 << 20
    for range in ranges {
      for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
        let length = min(Int64(piece), range.upperBound - start)
        try check(cl_block_zero(device.raw, UInt64(start), UInt64(length)), "BLKZEROOUT", path)
      }
    }
    HostCounters.countSync()
    guard fsync(device.raw) == 0 else { throw SystemCallError("fsync", path: path, errno: errno) }
  }

  /// Tells the device that none of its bytes are of use any more (BLKDISCARD). It must be nobody else's.
  /// - Throws: `SystemCallError`; EBUSY when somebody holds the device, EOPNOTSUPP when it takes no discards.
  package static func discard(_ path: String) throws {
    let device = try Descriptor(opening: path, O_RDWR | O_EXCL)
    let end = try size(of: device, path).bytes
    let piece = Int64(1) << 30
    for start in stride(from: 0, to: end, by: Int(piece)) {
      try check(cl_block_discard(device.raw, UInt64(start), UInt64(min(piece, end - start))), "BLKDISCARD", path)
    }
  }

  /// Whether nobody holds the device for themselves alone: no mount and no program such as mkfs (open(2), O_EXCL).
  /// - Throws: `SystemCallError`.
  static func isUnused(_ path: String) throws -> Bool {
    do {
      _ = try Descriptor(opening: path, O_RDONLY | O_EXCL)
      return true
    } catch let error as SystemCallError where error.errno == EBUSY {
      return false
    }
  }
}
