import Glibc
import Host

/// What lies at a path, itself: symbolic links are not followed.
enum FileKind: Hashable, Sendable {
  case nothing, directory, file, other

  /// - Throws: `SystemCallError`.
  static func of(_ path: String) throws -> FileKind {
    var status = stat()
    guard lstat(path, &status) != 0 else {
      return switch status.st_mode & S_IFMT {
      case S_IFDIR: .directory
      case S_IFREG: .file
      default: .other
      }
    }
    let code = errno
    guard code == ENOENT || code == ENOTDIR else { throw SystemCallError("lstat", path: path, errno: code) }
    return .nothing
  }
}
