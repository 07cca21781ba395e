import CLinux
import Glibc
import Storage

/// Writes that survive a crash whole or not at all. Every fsync counts in `HostCounters.syncs`.
package enum DurableFile {
  /// The suffix of the temporary name; files with it are leftovers of a crash and may be removed or overwritten.
  package static let temporarySuffix = ".new"

  /// Replaces the file at `path` (or makes it) with `bytes`: temporary name in the same directory, fsync, rename, fsync
  /// of the directory. After a crash the file has its old or its new contents. Two fsyncs.
  ///
  /// One writer at a time for each path: the temporary name is `path` + `.new`, so that a crash leaves at most one.
  /// - Throws: `SystemCallError`.
  package static func write(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t = 0o600) throws {
    let temporary = path + temporarySuffix
    do {
      let file = try Descriptor(opening: temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
      try writeAll(Array(bytes), to: file.raw, temporary)
      try file.sync(temporary)
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = SystemCallError("rename", path: path, errno: errno)
      unlink(temporary)
      throw error
    }
    try syncDirectory(HostPath.parent(of: path))
  }

  /// Makes the directory's entries (names made, renamed, removed in it) durable. One fsync.
  /// - Throws: `SystemCallError`.
  package static func syncDirectory(_ path: String) throws {
    let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY)
    try directory.sync(path)
  }

  /// Makes a file's contents and size durable. One fsync.
  /// - Throws: `SystemCallError`.
  package static func sync(_ path: String) throws {
    let file = try Descriptor(opening: path, O_RDONLY)
    try file.sync(path)
  }

  /// Renames within one file system, never over an existing file (renameat2(2) with RENAME_NOREPLACE).
  /// - Throws: `SystemCallError` (EEXIST).
  package static func renameExclusively(_ from: String, to: String) throws {
    try check(cl_rename_noreplace(from, to), "renameat2", to)
  }

  /// Writes all bytes at the descriptor's position.
  static func writeAll(_ bytes: [UInt8], to fd: Int32, _ path: String) throws {
    try bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let count = Glibc.write(fd, buffer.baseAddress?.advanced(by: written), buffer.count - written)
        if count < 0, errno == EINTR { continue }
        written += try checkLibc(count, "write", path)
      }
    }
  }
}
