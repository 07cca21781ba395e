import Glibc

/// The socket's place in the file system: what may be there before a server listens, and its permissions after.
struct SocketFile {
  /// As it was configured: what is bound.
  let path: String
  /// With its directory resolved: what two servers agree on.
  let resolvedPath: String

  /// Throws `EndpointError` when the socket's directory is not there.
  init(_ endpoint: Endpoint) throws(EndpointError) {
    let path = endpoint.path
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
    guard let resolved = realpath(parent, nil) else {
      throw EndpointError("cannot listen on \(path): \(parent): \(systemError())")
    }
    defer { free(resolved) }
    let directory = String(cString: resolved)
    self.path = path
    resolvedPath = directory == "/" ? "/\(name)" : "\(directory)/\(name)"
  }

  /// Removes the socket that a dead server left. Throws when something else is there, or a server that answers: one
  /// whose lock we do not see, in another container for example.
  func removeStale() throws(EndpointError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw EndpointError("cannot listen on \(path): something that is not a socket is there; it is left alone")
    }
    guard !isAnswered() else {
      throw EndpointError("another server is listening on \(path)")
    }
    guard unlink(path) == 0 || errno == ENOENT else {
      throw EndpointError("cannot remove the stale socket \(path): \(systemError())")
    }
  }

  /// Whether somebody accepts connections. A full backlog (EAGAIN) is somebody, too.
  private func isAnswered() -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(Endpoint.longestPath)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 || errno == EAGAIN
  }

  /// The umask belongs to the whole process: one listener at a time may borrow it.
  private static let umaskGuard = Guarded(())

  /// Runs `bind`, which creates the socket, so that it never exists with more permissions than `mode`.
  func create(mode: UInt32, bind: () -> Bool) throws(EndpointError) {
    let bound = Self.umaskGuard.withLock { _ in
      let before = umask(~mode & 0o777)
      defer { umask(before) }
      return bind()
    }
    guard bound else {
      throw EndpointError("cannot listen on \(path): gRPC core could not bind it; its log line says why")
    }
    // Default ACLs of the directory take the umask's place.
    guard chmod(path, mode) == 0 else {
      throw EndpointError("cannot set the permissions of \(path): \(systemError())")
    }
  }
}
