import CLinux
import Glibc
import Storage
import Synchronization

/// An open file; closed when it goes out of scope.
struct OpenFile: ~Copyable {
  let descriptor: Int32
  let path: String
  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }
  deinit { close(descriptor) }
}

/// System calls on files, with errors in the words of storage and counts of what is dear.
struct Disk: Sendable {
  /// What was done since the start, for tests and metrics.
  final class Counters: Sendable {
    let syncs = Atomic<Int>(0)
    let opens = Atomic<Int>(0)
  }

  let counters = Counters()

  static func error(_ call: String, _ path: String, _ code: Int32) -> StorageError {
    let text = "\(call) \(path): \(String(cString: strerror(code)))"
    return switch code {
    case ENOSPC, EDQUOT, EFBIG: .exhausted(text)
    default: .failed(text)
    }
  }

  /// - Parameter result: 0 or more, or the negated errno.
  @discardableResult
  static func check<N: FixedWidthInteger & SignedInteger>(_ result: N, _ call: String, _ path: String) throws -> N {
    guard result < 0 else { return result }
    throw error(call, path, Int32(-result))
  }

  /// For calls that answer -1 and set errno.
  private static func checkErrno(_ result: Int32, _ call: String, _ path: String) throws {
    if result == -1 { throw error(call, path, errno) }
  }

  /// open(2); never follows a symbolic link in the last place.
  func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws -> OpenFile {
    counters.opens.add(1, ordering: .relaxed)
    let descriptor = try Self.check(cl_open(path, flags | O_NOFOLLOW, mode), "open", path)
    return OpenFile(descriptor: descriptor, path: path)
  }

  func sync(_ file: borrowing OpenFile) throws {
    counters.syncs.add(1, ordering: .relaxed)
    try Self.checkErrno(fsync(file.descriptor), "fsync", file.path)
  }

  /// Makes entries that were made, renamed or removed in a directory durable.
  func syncDirectory(_ path: String) throws { try sync(try open(path, O_RDONLY | O_DIRECTORY)) }

  func resize(_ file: borrowing OpenFile, to size: ByteCount) throws {
    try Self.checkErrno(ftruncate(file.descriptor, size.bytes), "ftruncate", file.path)
  }

  /// Gives every byte below `size` a block of its own and grows the file to it.
  func allocate(_ file: borrowing OpenFile, upTo size: ByteCount) throws {
    var result: Int32
    repeat { result = cl_allocate(file.descriptor, 0, size.bytes) } while result == -EINTR
    try Self.check(result, "fallocate", file.path)
  }

  /// Makes `path` with these bytes; it must not exist. Not durable until synced.
  func create(_ path: String, holding bytes: [UInt8]) throws -> OpenFile {
    let file = try open(path, O_WRONLY | O_CREAT | O_EXCL)
    try write(bytes, to: file)
    return file
  }

  /// Replaces `directory/name` by these bytes, all or nothing; durable when it returns.
  func replace(_ name: String, in directory: String, with bytes: [UInt8]) throws {
    let temporary = "\(directory)/\(name).new"
    do {
      let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
      try write(bytes, to: file)
      try sync(file)
      CrashPoint.recordBeforeRename.reached()
      try Self.checkErrno(rename(temporary, "\(directory)/\(name)"), "rename", temporary)
    } catch {
      unlink(temporary)
      throw error
    }
    try syncDirectory(directory)
  }

  private func write(_ bytes: [UInt8], to file: borrowing OpenFile) throws {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file.descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.error("write", file.path, errno) }
      written += count
    }
  }

  /// The whole of a small file, or nil when it does not exist.
  /// - Throws: `.dataLoss` for more than 64 KiB: no file of ours is that large.
  func read(_ path: String) throws -> [UInt8]? {
    counters.opens.add(1, ordering: .relaxed)
    let descriptor = cl_open(path, O_RDONLY | O_NOFOLLOW, 0)
    if descriptor == -ENOENT { return nil }
    let file = OpenFile(descriptor: try Self.check(descriptor, "open", path), path: path)
    var bytes: [UInt8] = []
    while true {
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = Glibc.read(file.descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.error("read", path, errno) }
      bytes += chunk[..<count]
      // A short read of a regular file is its end: a file is read in one call.
      if count < chunk.count { return bytes }
      guard bytes.count <= 1 << 16 else { throw StorageError.dataLoss("\(path) is too long to be ours") }
    }
  }

  func makeDirectory(_ path: String) throws { try Self.checkErrno(mkdir(path, 0o700), "mkdir", path) }

  func makeDirectoryIfMissing(_ path: String) throws {
    if mkdir(path, 0o700) == -1, errno != EEXIST { throw Self.error("mkdir", path, errno) }
  }

  /// - Throws: `.incompatible` when something has that name.
  func rename(_ from: String, to: String) throws {
    let result = cl_rename_noreplace(from, to)
    if result == -EEXIST { throw StorageError.incompatible("\(to) exists") }
    try Self.check(result, "rename", to)
  }

  /// The entries of a directory, in no order, without "." and "..".
  func names(in directory: String) throws -> [String] {
    counters.opens.add(1, ordering: .relaxed)
    guard let stream = opendir(directory) else { throw Self.error("opendir", directory, errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a file or a whole directory of ours; nothing there is a success. Follows no symbolic link.
  func removeTree(_ path: String) throws {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw Self.error("unlink", path, errno) }
    for name in try names(in: path) {
      try removeTree("\(path)/\(name)")
      CrashPoint.deleteHalfUnlinked.reached()
    }
    try Self.checkErrno(rmdir(path), "rmdir", path)
  }

  /// Size and space in use, in bytes, or nil when there is no such file.
  func usage(of path: String) throws -> (size: ByteCount, allocated: ByteCount)? {
    var status = cl_stat()
    let result = cl_statx(AT_FDCWD, path, false, &status)
    if result == -ENOENT || result == -ENOTDIR { return nil }
    try Self.check(result, "statx", path)
    return (ByteCount(Int64(clamping: status.size)), ByteCount(Int64(clamping: status.blocks) * 512))
  }

  struct Space: Sendable {
    let total: ByteCount
    let available: ByteCount
    let isReadOnly: Bool
  }

  /// The file system that holds `path`; statvfs(3).
  func space(at path: String) throws -> Space {
    var status = statvfs()
    try Self.checkErrno(statvfs(path, &status), "statvfs", path)
    let unit = Int64(clamping: status.f_frsize)
    return Space(
      total: ByteCount(Int64(clamping: status.f_blocks) * unit),
      available: ByteCount(Int64(clamping: status.f_bavail) * unit),
      isReadOnly: status.f_flag & UInt(ST_RDONLY) != 0)
  }
}
