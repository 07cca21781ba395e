import CLinux
import Glibc

/// Small files read whole.
package enum FileContents {
  /// Reads the file to its end, through one descriptor.
  /// - Parameters:
  ///   - sizeHint: bytes of the first buffer; files of /proc are read in pieces of this size.
  ///   - limit: more than this many bytes is an error (EFBIG).
  /// - Throws: `SystemCallError`.
  package static func read(_ path: String, sizeHint: Int = 4096, limit: Int = 64 << 20) throws -> [UInt8] {
    let file = try Descriptor(opening: path, O_RDONLY)
    var contents: [UInt8] = []
    var capacity = max(sizeHint, 512)
    while true {
      let piece = try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        count = try readSome(file.raw, buffer, path)
      }
      if piece.isEmpty { return contents }
      if contents.isEmpty { contents = piece } else { contents.append(contentsOf: piece) }
      if contents.count > limit { throw SystemCallError("read", path: path, errno: EFBIG) }
      capacity = max(capacity, contents.count)
    }
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
