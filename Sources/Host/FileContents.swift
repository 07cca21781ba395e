import CLinux
import Glibc

/// Small files read whole.
package enum FileContents {
  /// Reads the file to its end, through one descriptor.
  /// - Parameters:
  ///   - sizeHint: about how many bytes are expected; one read fetches at most as many.
  ///   - limit: more than this many bytes is an error (EFBIG).
  /// - Throws: `SystemCallError`.
  package static func read(_ path: String, sizeHint: Int = 16 << 10, limit: Int = 64 << 20) throws -> [UInt8] {
    let file = try Descriptor(opening: path, O_RDONLY)
    var contents: [UInt8] = []
    try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(sizeHint, 512)) { buffer in
      while true {
        let count = try readSome(file.raw, buffer, path)
        guard count > 0 else { return }
        contents.append(contentsOf: buffer.prefix(count))
        if contents.count > limit { throw SystemCallError("read", path: path, errno: EFBIG) }
      }
    }
    return contents
  }

  private static func readSome(_ fd: Int32, _ buffer: UnsafeMutableBufferPointer<UInt8>, _ path: String) throws -> Int {
    while true {
      let count = Glibc.read(fd, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if errno != EINTR { throw SystemCallError("read", path: path, errno: errno) }
    }
  }

  /// The first line of a file of sysfs or procfs, without its newline; nil when there is no such file.
  package static func line(_ path: String) -> String? {
    guard let bytes = try? read(path) else { return nil }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
