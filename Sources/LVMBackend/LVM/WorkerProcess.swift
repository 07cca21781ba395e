import Glibc
import Host
import Storage

/// The server's end of a worker (see `LVMWorker`). Used by one thread at a time.
final class WorkerProcess: Sendable {
  private let child: ChildProcess
  var process: pid_t { child.process }

  /// - Parameters:
  ///   - systemDirectory: has the lvm.conf that is to count.
  ///   - lock: held by the worker from its first moment on.
  ///   - mayCrash: whether tests may kill it at a `CrashPoint`; one that replaces another is spared.
  /// - Throws: `SystemCallError`.
  init(executable: String, systemDirectory: String, lock: borrowing WorkerLock, mayCrash: Bool) throws {
    var environment = [
      "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
      "LVM_SYSTEM_DIR=\(systemDirectory)", "LVM_SUPPRESS_FD_WARNINGS=1",
    ]
    if mayCrash {
      for name in ["STOWAGE_CRASH_AT", "STOWAGE_CRASH_JOURNAL"] {
        if let value = getenv(name) { environment.append("\(name)=\(String(cString: value))") }
      }
    }
    child = try ChildProcess(executable, ["lvm-worker"], environment: environment, inheriting: lock.file)
  }

  /// Runs one command to its end, however long that takes. Blocks.
  /// - Returns: nil when the worker ended before it answered: whether the command was carried out is not known.
  func run(_ line: String) -> Reply? {
    do {
      try child.write(Frame.of(Array(line.utf8)))
      guard let header = try child.read(4), case let count = Frame.count(header), count <= Frame.limit,
        let payload = try child.read(count)
      else { return nil }
      return Reply(payload)
    } catch {
      return nil
    }
  }
}

/// A flock(2) in the runtime directory: held by a worker as long as it lives, so that never two run for one driver.
struct WorkerLock: ~Copyable {
  let file: Descriptor

  /// - Returns: nil when another process has it.
  /// - Throws: `SystemCallError`.
  init?(_ path: String) throws {
    let file = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600)
    if flock(file.raw, LOCK_EX | LOCK_NB) == -1 {
      guard errno == EWOULDBLOCK else { throw SystemCallError("flock", path: path, errno: errno) }
      return nil
    }
    self.file = file
  }

  /// Waits for it, at most so long.
  /// - Throws: `.unavailable` when another process keeps it.
  static func wait(_ path: String, limit: Duration) async throws -> WorkerLock {
    let deadline = ContinuousClock.now + limit
    // flock(2) has no time limit of its own, and a thread that waits for ever would be one too many.
    while true {
      if let lock = try WorkerLock(path) { return lock }
      guard ContinuousClock.now < deadline else {
        throw StorageError.unavailable("a command of an earlier LVM worker still runs: \(path) is held")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
