import Glibc
import Storage

/// How full a file system is (statvfs(3)).
package struct FilesystemUsage: Hashable, Sendable {
  package struct Bytes: Hashable, Sendable {
    package let total: Int64
    package let used: Int64
    /// What an unprivileged process may still write.
    package let available: Int64
  }
  /// All zero where the file system makes inodes as it needs them (btrfs).
  package struct Inodes: Hashable, Sendable {
    package let total: Int64
    package let used: Int64
    package let free: Int64
  }
  package let bytes: Bytes
  package let inodes: Inodes
  package let isReadOnly: Bool

  /// Asks on a thread of its own, so that a dead mount hangs nobody; at most one such thread for each path.
  /// - Throws: `StorageError.unavailable` past the limit, `SystemCallError`.
  package static func read(_ path: String, limit: Duration) async throws -> FilesystemUsage {
    try await withTimeLimit(limit, "statfs \(path)") { try read(path) }
  }

  /// Asks at once; for paths of the host itself.
  /// - Throws: `SystemCallError`.
  package static func read(_ path: String) throws -> FilesystemUsage {
    var status = statvfs()
    while statvfs(path, &status) != 0 {
      if errno != EINTR { throw SystemCallError("statfs", path: path, errno: errno) }
    }
    let unit = UInt64(status.f_frsize)
    func bytes(_ blocks: UInt64) -> Int64 {
      let (product, overflow) = blocks.multipliedReportingOverflow(by: unit)
      return overflow ? Int64.max : Int64(clamping: product)
    }
    let blocks = UInt64(status.f_blocks)
    let free = min(UInt64(status.f_bfree), blocks)
    let files = UInt64(status.f_files)
    let freeFiles = min(UInt64(status.f_ffree), files)
    return FilesystemUsage(
      bytes: Bytes(total: bytes(blocks), used: bytes(blocks - free), available: bytes(UInt64(status.f_bavail))),
      inodes: Inodes(
        total: Int64(clamping: files), used: Int64(clamping: files - freeFiles), free: Int64(clamping: freeFiles)),
      isReadOnly: UInt(status.f_flag) & UInt(ST_RDONLY) != 0)
  }
}
