import Glibc

/// The claim on a socket's path: an flock(2) on a file elsewhere, since nothing but the socket may lie in its directory.
/// Held until the object goes, or the process.
final class SocketLock: Sendable {
  private let descriptor: Int32
  private let file: String

  /// Claims `path` (resolved, see `SocketFile`). Throws `EndpointError` when a live process holds it.
  init(path: String, directory chosen: String?) throws(EndpointError) {
    let directory: String
    if let chosen { directory = try Self.make(chosen) } else { directory = try Self.standard() }
    let file = "\(directory)/\(Self.name(for: path))"
    var descriptor: Int32
    repeat {
      descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else {
        throw EndpointError("cannot open the lock file \(file): \(systemError())")
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let reason = errno
        close(descriptor)
        throw EndpointError(
          reason == EWOULDBLOCK
            ? "another server is listening on \(path) (it holds the lock file \(file))"
            : "cannot lock \(file): \(systemError(reason))")
      }
    } while !Self.isStill(descriptor, at: file)
    self.file = file
    self.descriptor = descriptor
  }

  /// Removes the file while it is still locked: who opened it before us finds, by `isStill`, that it is gone.
  deinit {
    unlink(file)
    close(descriptor)
  }

  /// Whether `file` names what `descriptor` has open. If not, it is closed: its last holder removed the file between
  /// our open and our lock.
  private static func isStill(_ descriptor: Int32, at file: String) -> Bool {
    var (open, named) = (stat(), stat())
    let isSame =
      fstat(descriptor, &open) == 0 && lstat(file, &named) == 0
      && open.st_ino == named.st_ino && open.st_dev == named.st_dev
    if !isSame { close(descriptor) }
    return isSame
  }

  /// The socket's own name, for people, and a hash of the whole path (FNV-1a, 64 bit).
  static func name(for path: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    let last = path.split(separator: "/").last.map(String.init) ?? "socket"
    return "\(last)-\(String(repeating: "0", count: 16 - digits.count))\(digits).lock"
  }

  private static func standard() throws(EndpointError) -> String {
    if let directory = try? make("/run/stowage/locks") { return directory }
    if let runtime = getenv("XDG_RUNTIME_DIR"), let directory = try? make("\(String(cString: runtime))/stowage") {
      return directory
    }
    return try make("/tmp/stowage-\(geteuid())")
  }

  /// Makes `path` and its parents. In a directory that all may write, somebody else could have made it before us, so
  /// it must be a real directory of our own (or of root).
  private static func make(_ path: String) throws(EndpointError) -> String {
    var parent = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      parent += "/\(part)"
      if mkdir(parent, 0o700) != 0, errno != EEXIST {
        throw EndpointError("cannot create the lock directory \(parent): \(systemError())")
      }
    }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw EndpointError("cannot use the lock directory \(path): \(systemError())")
    }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() || status.st_uid == 0 else {
      throw EndpointError("the lock directory \(path) is not a directory of this user")
    }
    guard access(path, W_OK) == 0 else {
      throw EndpointError("cannot write to the lock directory \(path): \(systemError())")
    }
    return path
  }
}

/// The text of `errno`, or of `code`.
func systemError(_ code: Int32 = errno) -> String {
  String(cString: strerror(code))
}
