import Glibc
import Host
import Storage
import Synchronization

/// An open file with its path for messages; closed when it goes out of scope.
struct OpenFile: ~Copyable, Sendable {
  let file: Descriptor
  let path: String
  var raw: Int32 { file.raw }
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
    code == EFBIG
      ? .exhausted("\(path) is larger than its file system allows")
      : SystemCallError(call, path: path, errno: code).storageError
  }

  /// Gives errors of the host the words of storage.
  static func storage<T>(_ path: String, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as SystemCallError {
      throw Self.error(error.call, error.path ?? path, error.errno)
    }
  }

  /// For calls that answer -1 and set errno.
  private static func checkErrno(_ result: Int32, _ call: String, _ path: String) throws {
    if result == -1 { throw error(call, path, errno) }
  }

  /// open(2); never follows a symbolic link in the last place.
  func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws -> OpenFile {
    counters.opens.add(1, ordering: .relaxed)
    do {
      return OpenFile(file: try Descriptor(opening: path, flags | O_NOFOLLOW, mode: mode), path: path)
    } catch let error as SystemCallError {
      throw error.storageError
    }
  }

  func sync(_ file: borrowing OpenFile) throws {
    counters.syncs.add(1, ordering: .relaxed)
    try Self.storage(file.path) { try file.file.sync(file.path) }
  }

  /// Makes entries that were made, renamed or removed in a directory durable.
  func syncDirectory(_ path: String) throws { try sync(try open(path, O_RDONLY | O_DIRECTORY)) }

  func resize(_ file: borrowing OpenFile, to size: ByteCount) throws {
    try Self.checkErrno(ftruncate(file.raw, off_t(size.bytes)), "ftruncate", file.path)
  }

  /// Gives every byte below `size` a block of its own and grows the file to it.
  func allocate(_ file: borrowing OpenFile, upTo size: ByteCount) throws {
    let isPossible = try Self.storage(file.path) { try FileSpace.allocate(file.raw, 0..<size.bytes) }
    guard isPossible else { throw StorageError.invalid("thick volumes are impossible on this file system") }
  }

  /// Makes `path` with these bytes; it must not exist. Not durable until synced.
  func create(_ path: String, holding bytes: [UInt8]) throws -> OpenFile {
    let file = try open(path, O_RDWR | O_CREAT | O_EXCL)
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
      try Self.checkErrno(Glibc.rename(temporary, "\(directory)/\(name)"), "rename", temporary)
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
        Glibc.write(file.raw, $0.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.error("write", file.path, errno) }
      written += count
    }
  }

  /// The whole of a small file, or nil when it does not exist.
  func read(_ path: String) throws -> [UInt8]? {
    counters.opens.add(1, ordering: .relaxed)
    do {
      return try FileContents.read(path, limit: 1 << 16)
    } catch let error as SystemCallError {
      if error.errno == ENOENT { return nil }
      throw error.storageError
    }
  }

  func makeDirectory(_ path: String) throws { try Self.checkErrno(mkdir(path, 0o700), "mkdir", path) }

  func makeDirectoryIfMissing(_ path: String) throws {
    if mkdir(path, 0o700) == -1, errno != EEXIST { throw Self.error("mkdir", path, errno) }
  }

  /// - Throws: `.incompatible` when something has that name.
  func rename(_ from: String, to: String) throws {
    do {
      try DurableFile.renameExclusively(from, to: to)
    } catch let error as SystemCallError {
      throw error.errno == EEXIST ? StorageError.incompatible("\(to) exists") : error.storageError
    }
  }

  /// The entries of a directory, in no order, without "." and "..".
  func names(in directory: String) throws -> [String] {
    counters.opens.add(1, ordering: .relaxed)
    return try Self.storage(directory) { try Directory.names(in: directory) }
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
    do {
      let attributes = try FileAttributes.of(path)
      return (ByteCount(attributes.size), ByteCount(attributes.allocated))
    } catch let error as SystemCallError {
      if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
      throw error.storageError
    }
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
