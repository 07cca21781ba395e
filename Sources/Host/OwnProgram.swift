import CLinux
import Glibc

/// Our own executable, started again for work that must not happen in this process.
enum OwnProgram {
  /// Starts `executable` with `arguments`, all signals unblocked, in a process group of its own, so that a signal to
  /// ours does not reach it. It inherits these two descriptors as standard input and output, standard error, and
  /// nothing of the environment but what `environment` holds; `inheriting` becomes its descriptor 3. The caller counts it (`HostCounters`) and waits for it.
  /// - Throws: `SystemCallError`.
  static func start(
    _ executable: String, _ arguments: [String], environment: [String] = ["LC_ALL=C"],
    input: borrowing Descriptor, output: borrowing Descriptor, inheriting: Int32? = nil
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input.raw, 0)
    posix_spawn_file_actions_adddup2(&actions, output.raw, 1)
    if let inheriting { posix_spawn_file_actions_adddup2(&actions, inheriting, 3) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    var process: pid_t = 0
    var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { (argv + variables).forEach { free($0) } }
    let result = posix_spawn(&process, executable, &actions, &attributes, &argv, &variables)
    guard result == 0 else { throw SystemCallError("posix_spawn", path: executable, errno: result) }
    return process
  }

  /// Waits for a process that is about to end; never in the caller, whom a slow end would hold.
  static func reap(_ process: pid_t) {
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == 0 else { return }
    _ = Thread.start(name: "reap") {
      var status: Int32 = 0
      while waitpid(process, &status, 0) == -1, errno == EINTR {}
    }
  }
}

/// Both ends of a pipe, closed on exec.
struct Pipe: ~Copyable {
  let reading: Descriptor
  let writing: Descriptor

  init() throws {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) { bytes in
      bytes.withMemoryRebound(to: Int32.self) { cl_pipe($0.baseAddress) }
    }
    try check(result, "pipe2")
    reading = Descriptor(owning: ends.0)
    writing = Descriptor(owning: ends.1)
  }

  /// A descriptor of the writing end that outlives this value.
  func takeWriting() throws -> Int32 { try check(cl_duplicate(writing.raw), "fcntl") }
  /// A descriptor of the reading end that outlives this value.
  func takeReading() throws -> Int32 { try check(cl_duplicate(reading.raw), "fcntl") }
}
