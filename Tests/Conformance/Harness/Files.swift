import Glibc

/// Files as a pod or an operator sees them.
enum Files {
  static func bytes(_ path: String, at offset: Int = 0, count: Int = .max) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while result.count < count {
      let read = pread(file, &chunk, min(chunk.count, count - result.count), off_t(offset + result.count))
      guard read > 0 else { break }
      result += chunk[..<read]
    }
    return result
  }

  static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

  /// Writes through to the disk; creates the file unless it is there.
  /// - Throws: `FileFailure` with the errno.
  static func write(_ bytes: [UInt8], to path: String, at offset: Int = 0) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw FileFailure(path: path, code: errno) }
    defer { close(file) }
    var done = 0
    while done < bytes.count {
      let written = bytes[done...].withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(offset + done)) }
      guard written > 0 else { throw FileFailure(path: path, code: errno) }
      done += written
    }
    guard fsync(file) == 0 else { throw FileFailure(path: path, code: errno) }
  }

  static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func status(_ path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }

  static func isBlockDevice(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFBLK } ?? false }
  static func isDirectory(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

  /// The size of a file system in bytes, as statvfs(3) tells it.
  static func filesystemSize(_ path: String) -> Int64 {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return 0 }
    return Int64(status.f_blocks) * Int64(status.f_frsize)
  }

  /// The size of a device or file in bytes.
  static func size(_ path: String) -> Int64 {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return -1 }
    defer { close(file) }
    return Int64(lseek(file, 0, SEEK_END))
  }

  static func makeDirectory(_ path: String) { mkdir(path, 0o750) }

  /// Names in a directory, sorted.
  static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// All files and directories below `path`.
  static func tree(_ path: String) -> Set<String> {
    var found: Set<String> = []
    for name in names(path) {
      let child = path + "/" + name
      found.insert(child)
      if isDirectory(child) { found.formUnion(tree(child)) }
    }
    return found
  }
}

struct FileFailure: Error, CustomStringConvertible {
  let path: String
  let code: Int32
  var description: String { "\(path): \(String(cString: strerror(code)))" }
}
