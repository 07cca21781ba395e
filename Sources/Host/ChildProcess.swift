import CLinux
import Glibc

/// A process of our own making that we talk to over its standard input and output; its standard error is ours.
///
/// It is never killed from here: when its input ends it is to end by itself. It leads a process group of its own, so
/// that signals of our terminal are not for it.
package final class ChildProcess: Sendable {
  package let process: pid_t
  private let input: Int32
  private let output: Int32

  /// - Parameters:
  ///   - environment: all of it, as `NAME=value`.
  ///   - inheriting: becomes descriptor 3 of the child.
  /// - Throws: `SystemCallError`.
  package init(
    _ executable: String, _ arguments: [String], environment: [String], inheriting: borrowing Descriptor
  ) throws {
    let requests = try Ends()
    let answers = try Ends()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, requests.reading.raw, 0)
    posix_spawn_file_actions_adddup2(&actions, answers.writing.raw, 1)
    posix_spawn_file_actions_adddup2(&actions, inheriting.raw, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    var argv = ([executable] + arguments).map { strdup($0) } + [nil]
    var environment = environment.map { strdup($0) } + [nil]
    defer { (argv + environment).forEach { free($0) } }
    var started: pid_t = 0
    let result = posix_spawn(&started, executable, &actions, &attributes, &argv, &environment)
    guard result == 0 else { throw SystemCallError("posix_spawn", path: executable, errno: result) }
    process = started
    input = try check(cl_duplicate(requests.writing.raw), "fcntl")
    output = try check(cl_duplicate(answers.reading.raw), "fcntl")
  }

  /// Ends its input and lets it go: it is reaped when it has ended, whenever that is.
  deinit {
    close(input)
    close(output)
    let process = process
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == 0 else { return }
    _ = Thread.start(name: "reap") {
      var status: Int32 = 0
      while waitpid(process, &status, 0) == -1, errno == EINTR {}
    }
  }

  /// Writes all of it; blocks. SIGPIPE must be ignored, or blocked by this thread: the child may have ended.
  package func write(_ bytes: [UInt8]) throws { try DurableFile.writeAll(bytes, to: input, "pipe") }

  /// Exactly `count` bytes; nil when the child's output ended before. Blocks.
  package func read(_ count: Int) throws -> [UInt8]? { try Self.read(count, from: output) }

  /// Exactly `count` bytes of a descriptor; nil when it ended before.
  package static func read(_ count: Int, from descriptor: Int32) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: done), count - done)
      }
      if got < 0, errno == EINTR { continue }
      try checkLibc(got, "read", "pipe")
      if got == 0 { return nil }
      done += got
    }
    return bytes
  }

  /// Writes all bytes to a descriptor.
  package static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
    try DurableFile.writeAll(bytes, to: descriptor, "pipe")
  }

  /// Both ends of a pipe, closed on exec.
  private struct Ends: ~Copyable {
    let reading: Descriptor
    let writing: Descriptor

    init() throws {
      var ends: [Int32] = [-1, -1]
      try check(cl_pipe(&ends), "pipe2")
      reading = Descriptor(owning: ends[0])
      writing = Descriptor(owning: ends[1])
    }
  }
}
