import CLinux
import Glibc
import Storage

/// Paths that the CO gave: checked before use, made and removed without ever following a final symbolic link.
package enum HostPath {
  /// Checks that `path` can be a staging or target path: absolute, shorter than PATH_MAX, without NUL and `..`, its
  /// last part no symbolic link, its parent (symbolic links resolved) inside one of `allowed` unless that is empty.
  ///
  /// The path itself need not exist; its parent must when `allowed` is not empty.
  /// - Throws: `StorageError.invalid` that says what is wrong.
  package static func checkTarget(_ path: String, within allowed: [String]) throws {
    guard path.hasPrefix("/") else { throw StorageError.invalid("path must be absolute: \(excerpt(path))") }
    guard path.utf8.count < PATH_MAX else { throw StorageError.invalid("path exceeds \(PATH_MAX - 1) bytes") }
    guard !path.utf8.contains(0) else { throw StorageError.invalid("path contains NUL") }
    let parts = path.split(separator: "/")
    guard let last = parts.last else { throw StorageError.invalid("path must not be the root directory") }
    guard !parts.contains("..") else { throw StorageError.invalid("path must not contain '..': \(excerpt(path))") }
    guard last != "." else { throw StorageError.invalid("path must not end in '.': \(excerpt(path))") }
    guard parts.allSatisfy({ $0.utf8.count <= NAME_MAX }) else {
      throw StorageError.invalid("a part of the path exceeds \(NAME_MAX) bytes")
    }
    var status = cl_stat()
    let trimmed = "/" + parts.joined(separator: "/")
    if cl_statx_cached(trimmed, &status) == 0, FileAttributes(status).isSymbolicLink {
      throw StorageError.invalid("path must not be a symbolic link: \(excerpt(path))")
    }
    guard !allowed.isEmpty else { return }
    let parent = parent(of: trimmed)
    guard let resolved = resolve(parent) else {
      throw StorageError.invalid("the directory \(excerpt(parent)) does not exist")
    }
    let isInside = allowed.contains { root in
      guard let root = resolve(root) else { return false }
      return root == "/" || resolved == root || resolved.hasPrefix(root + "/")
    }
    guard isInside else {
      throw StorageError.invalid("path \(excerpt(path)) lies outside of \(allowed.joined(separator: ", "))")
    }
  }

  /// The path with all symbolic links resolved (realpath(3)), or nil when it does not exist.
  package static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The path as mountinfo would show it: parent resolved, last part as it is, no double or trailing slashes. The path
  /// as given when the parent does not exist.
  package static func canonical(_ path: String) -> String {
    let parts = path.split(separator: "/")
    guard let last = parts.last else { return "/" }
    guard let parent = resolve("/" + parts.dropLast().joined(separator: "/")) else { return path }
    return parent == "/" ? "/\(last)" : "\(parent)/\(last)"
  }

  /// `path` without slashes at its end, which would make system calls follow a final symbolic link.
  static func withoutTrailingSlash(_ path: String) -> String {
    guard path.utf8.last == UInt8(ascii: "/") else { return path }
    let end = path.lastIndex { $0 != "/" }
    return end.map { String(path[...$0]) } ?? "/"
  }

  /// The directory that holds `path`.
  package static func parent(of path: String) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).dropLast()
    if path.hasPrefix("/") { return "/" + parts.joined(separator: "/") }
    return parts.isEmpty ? "." : parts.joined(separator: "/")
  }

  /// Whether anything, a dangling symbolic link too, has this name; answered from cache where the file system allows.
  package static func exists(_ path: String) -> Bool {
    var status = cl_stat()
    let result = cl_statx_cached(withoutTrailingSlash(path), &status)
    // A broken mount exists.
    return result != -ENOENT && result != -ENOTDIR
  }

  /// Makes a directory; succeeds when there is one.
  /// - Throws: `StorageError.invalid` when something else has the name, `SystemCallError`.
  package static func createDirectory(_ path: String, mode: mode_t = 0o750) throws {
    let path = withoutTrailingSlash(path)
    guard mkdir(path, mode) != 0 else { return }
    let code = errno
    guard code == EEXIST else { throw SystemCallError("mkdir", path: path, errno: code) }
    guard try FileAttributes.of(path).isDirectory else { throw StorageError.invalid("\(path) is not a directory") }
  }

  /// Makes a directory and those above it that are missing, all with this mode.
  /// - Throws: as `createDirectory`.
  package static func createDirectories(_ path: String, mode: mode_t) throws {
    var current = ""
    for part in path.split(separator: "/") {
      current += "/\(part)"
      try createDirectory(current, mode: mode)
    }
  }

  /// Makes an empty file, the place for a bind mount of a device node; succeeds when there is a file that is neither
  /// directory nor symbolic link.
  /// - Throws: `StorageError.invalid` when a directory or link has the name, `SystemCallError`.
  package static func createFile(_ path: String, mode: mode_t = 0o640) throws {
    let fd = cl_open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode)
    if fd >= 0 {
      close(fd)
      return
    }
    guard fd == -EEXIST else { throw SystemCallError("open", path: path, errno: -fd) }
    let attributes = try FileAttributes.of(path)
    guard !attributes.isDirectory, !attributes.isSymbolicLink else {
      throw StorageError.invalid("\(path) is not a file")
    }
  }

  /// Removes an empty directory; succeeds when there is none of this name.
  /// - Throws: `SystemCallError`: ENOTEMPTY, ENOTDIR, EBUSY (a mount point).
  package static func removeEmptyDirectory(_ path: String) throws {
    let path = withoutTrailingSlash(path)
    guard rmdir(path) != 0 else { return }
    let code = errno
    guard code == ENOENT else { throw SystemCallError("rmdir", path: path, errno: code) }
  }

  /// Removes a file; a symbolic link itself, never what it points to. Succeeds when there is none of this name.
  /// - Throws: `SystemCallError`: EISDIR, EBUSY (a mount point).
  package static func removeFile(_ path: String) throws {
    guard unlink(path) != 0 else { return }
    let code = errno
    guard code == ENOENT else { throw SystemCallError("unlink", path: path, errno: code) }
  }

  /// Removes what a mount lay on: an empty directory or an empty file. Succeeds when there is nothing of this name;
  /// refuses everything that holds data.
  /// - Throws: `StorageError.precondition` for a file with contents, `SystemCallError`.
  package static func removeMountPoint(_ path: String) throws {
    let attributes: FileAttributes
    do {
      attributes = try FileAttributes.of(path)
    } catch let error as SystemCallError where error.errno == ENOENT || error.errno == ENOTDIR {
      return
    }
    if attributes.isDirectory { return try removeEmptyDirectory(path) }
    guard attributes.isRegular, attributes.size == 0 else {
      throw StorageError.precondition("\(path) is not an empty file or directory: left alone")
    }
    try removeFile(path)
  }

  private static func excerpt(_ path: String) -> String {
    path.utf8.count <= 256 ? path : "\(path.prefix(200))…"
  }
}
