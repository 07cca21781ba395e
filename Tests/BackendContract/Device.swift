import Glibc

/// An open block device of a volume; closed with its last user.
final class Device {
  private let descriptor: Int32
  let path: String

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw ContractFailure("open \(path): errno \(errno)") }
  }

  deinit { close(descriptor) }

  /// Written out to the volume when it returns.
  func write(at offset: Int, _ bytes: [UInt8]) throws {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written, off_t(offset + written))
      }
      guard count > 0 else { throw ContractFailure("write \(path) at \(offset): errno \(errno)") }
      written += count
    }
    guard fsync(descriptor) == 0 else { throw ContractFailure("fsync \(path): errno \(errno)") }
  }

  func read(at offset: Int, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
      }
      guard got > 0 else { throw ContractFailure("read \(path) at \(offset + filled): errno \(errno)") }
      filled += got
    }
    return bytes
  }

  /// In bytes.
  var size: Int { Int(lseek(descriptor, 0, SEEK_END)) }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count { withUnsafeBytes(of: next()) { bytes += $0 } }
    return Array(bytes.prefix(count))
  }
}

/// Whether both hold the same bytes, in `range` when one is given. Much faster than `==` in builds for debugging.
func sameBytes(_ a: [UInt8], _ b: [UInt8], in range: Range<Int>? = nil) -> Bool {
  guard range != nil || a.count == b.count else { return false }
  let range = range ?? 0..<a.count
  guard range.upperBound <= min(a.count, b.count) else { return false }
  return a.withUnsafeBytes { a in
    b.withUnsafeBytes { b in
      guard let a = a.baseAddress, let b = b.baseAddress else { return true }
      return memcmp(a + range.lowerBound, b + range.lowerBound, range.count) == 0
    }
  }
}
