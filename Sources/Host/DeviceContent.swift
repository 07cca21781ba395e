import CLinux
import Glibc
import Storage

/// What a block device holds, as far as can be told. Only `.empty` may be formatted.
package enum DeviceContent: Hashable, Sendable {
  /// No known signature, and nothing but zeros where file systems, partition tables and volume managers keep theirs.
  case empty
  /// A known signature (`ext4`, `xfs`, `LVM2_member`, `gpt`, ...), or `unknown data`.
  case holds(type: String)
  /// It could not be told: contradicting signatures, or the device cannot be read. The text says why.
  case unknown(String)

  /// What `holds` says of bytes that no known signature explains.
  package static let unknownData = "unknown data"

  /// The bytes of a device of `size` bytes that must be zeros for it to be empty: the first four and the last MiB.
  static func telling(size: Int64) -> [Range<Int64>] {
    let head = 0..<min(size, 4 << 20)
    return [head, max(size - 1 << 20, head.upperBound)..<max(size, head.upperBound)]
  }

  /// Reads the device's signatures (libblkid), and its first four and last one MiB.
  ///
  /// Read errors make `.unknown`: a device that cannot be read is not empty.
  /// - Throws: `SystemCallError` when the device cannot be opened.
  package static func probe(_ device: String) throws -> DeviceContent {
    let node = try Descriptor(opening: device, O_RDONLY)
    let size: Int64
    do {
      let attributes = try node.attributes(device)
      size = attributes.isBlockDevice ? try BlockDevice.size(of: node, device).bytes : attributes.size
    } catch let error as SystemCallError {
      return .unknown(error.description)
    }
    guard size > 0 else { return .unknown("\(device) has no size") }
    switch signatures(node, device) {
    case .empty: return firstData(node, device, size: size)
    case let other: return other
    }
  }

  private static func signatures(_ node: borrowing Descriptor, _ device: String) -> DeviceContent {
    guard let probe = blkid_new_probe() else { return .unknown("libblkid has no memory for a probe") }
    defer { blkid_free_probe(probe) }
    guard blkid_probe_set_device(probe, node.raw, 0, 0) == 0 else { return .unknown("\(device) cannot be probed") }
    blkid_probe_enable_superblocks(probe, 1)
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM)
    blkid_probe_enable_partitions(probe, 1)
    errno = 0
    switch blkid_do_safeprobe(probe) {
    case 0: return .holds(type: value("TYPE", of: probe) ?? value("PTTYPE", of: probe) ?? unknownData)
    case 1: return errno == EIO ? .unknown("\(device): read error while probing") : .empty
    case -2: return .unknown("\(device) holds contradicting signatures")
    default: return .unknown("\(device) cannot be probed: \(SystemCallError("read", path: device, errno: errno))")
    }
  }

  private static func value(_ name: String, of probe: blkid_probe) -> String? {
    var data: UnsafePointer<CChar>?
    guard blkid_probe_lookup_value(probe, name, &data, nil) == 0, let data else { return nil }
    return String(cString: data)
  }

  private static func firstData(_ node: borrowing Descriptor, _ device: String, size: Int64) -> DeviceContent {
    let piece = 256 << 10
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 4096)
    defer { buffer.deallocate() }
    for range in telling(size: size) {
      var offset = range.lowerBound
      while offset < range.upperBound {
        let count = pread(node.raw, buffer.baseAddress, min(piece, Int(range.upperBound - offset)), off_t(offset))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          return .unknown("\(SystemCallError("read", path: device, errno: count < 0 ? errno : EIO))")
        }
        if !isZero(buffer, count) { return .holds(type: unknownData) }
        offset += Int64(count)
      }
    }
    return .empty
  }

  /// All bytes equal their successor and the first is zero.
  private static func isZero(_ buffer: UnsafeMutableRawBufferPointer, _ count: Int) -> Bool {
    guard count > 0, let base = buffer.baseAddress else { return true }
    return buffer[0] == 0 && memcmp(base, base + 1, count - 1) == 0
  }
}
