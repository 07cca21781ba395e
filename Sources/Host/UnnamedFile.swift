import CLinux
import Glibc

/// A file without a name (O_TMPFILE), gone when the value is: for trying out what a directory's file system can do.
package struct UnnamedFile: ~Copyable {
  package let descriptor: Int32

  /// - Parameter isDirect: opened for direct I/O, which fails with EINVAL where the file system has none.
  /// - Throws: `SystemCallError`; EOPNOTSUPP where the file system has no unnamed files.
  package init(in directory: String, isDirect: Bool = false) throws {
    // O_TMPFILE of fcntl.h: the macro is for GNU sources only, and made of two flags.
    let unnamed = Int32(0o20_000_000) | O_DIRECTORY
    descriptor = cl_open(directory, O_RDWR | unnamed | (isDirect ? cl_o_direct : 0), 0o600)
    guard descriptor >= 0 else { throw SystemCallError("open", path: directory, errno: -descriptor) }
  }

  deinit { close(descriptor) }
}
