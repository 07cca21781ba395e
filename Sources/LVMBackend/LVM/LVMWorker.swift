import CLVM
import Glibc
import Host
import Storage

/// The process that runs LVM's commands, one after another: `stowage lvm-worker`.
///
/// It reads command lines (see `Frame`) from its standard input and writes what became of them to its standard output.
/// When its input ends it finishes the present command and ends; signals that end services are not for it, for a
/// command that is cut off may leave devices suspended. Descriptor 3 is a lock that is held as long as it lives.
package enum LVMWorker {
  /// - Parameter arguments: those after the sub-command; there are none.
  /// - Returns: the exit status.
  package static func run(_ arguments: [String]) -> Int32 {
    for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
    guard arguments.isEmpty, fcntl(3, F_GETFD) != -1 else { return 2 }
    // Nothing but us may hold the lock, also not programs that LVM starts.
    _ = fcntl(3, F_SETFD, FD_CLOEXEC)
    // What LVM or a program of its prints must not get between the frames.
    let requests = fcntl(0, F_DUPFD_CLOEXEC, 3)
    let answers = fcntl(1, F_DUPFD_CLOEXEC, 3)
    let null = open("/dev/null", O_RDWR)
    guard requests >= 0, answers >= 0, null >= 0, dup2(null, 0) == 0, dup2(null, 1) == 1 else { return 2 }
    if null > 2 { close(null) }

    if let problem = clvm_start(LVMWorker.log) {
      let text = String(cString: problem)
      return serve(requests, answers) { _ in Reply(status: UInt8(CLVM_INIT_FAILED), errors: text) }
    }
    defer { clvm_stop() }
    return serve(requests, answers, execute)
  }

  private static func serve(_ requests: Int32, _ answers: Int32, _ execute: (String) -> Reply) -> Int32 {
    do {
      while let header = try ChildProcess.read(4, from: requests) {
        let count = Frame.count(header)
        guard count <= Frame.limit, let line = try ChildProcess.read(count, from: requests) else { return 1 }
        CrashPoint.lvmWorkerReceived.reached()
        let reply = execute(String(decoding: line, as: UTF8.self))
        CrashPoint.lvmWorkerDone.reached()
        try ChildProcess.write(Frame.of(reply.bytes), to: answers)
      }
      return 0
    } catch {
      return 1
    }
  }

  // MARK: the command

  private struct Collected {
    var output: [UInt8] = []
    var errors: [UInt8] = []
    var notes: [UInt8] = []
  }

  /// Touched only by the one thread of this process that runs commands: LVM logs on that.
  nonisolated(unsafe) private static var collected = Collected()

  private static let log: clvm_log = { level, message in
    guard let message else { return }
    func append(_ bytes: inout [UInt8]) {
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: message, count: strlen(message)))
      bytes.append(UInt8(ascii: "\n"))
    }
    if level <= CLVM_LOG_ERROR {
      append(&LVMWorker.collected.errors)
    } else if level == CLVM_LOG_PRINT {
      append(&LVMWorker.collected.output)
    } else if strncmp(message, "Getting device info for ", 24) == 0 || strncmp(message, "dm message", 10) == 0 {
      append(&LVMWorker.collected.notes)
    }
  }

  private static func execute(_ line: String) -> Reply {
    // Only the log function sees debug messages, but it costs time to make them all, and it sees lines cut.
    guard line.hasPrefix("lvcreate ") else { return print(line) }
    collected = Collected()
    let status = clvm_run(line)
    return Reply(
      status: UInt8(truncatingIfNeeded: status), output: String(decoding: collected.output, as: UTF8.self),
      errors: String(decoding: collected.errors, as: UTF8.self),
      notes: String(decoding: collected.notes, as: UTF8.self))
  }

  private static func print(_ line: String) -> Reply {
    var output: Int32 = -1
    var errors: Int32 = -1
    let status = clvm_run_printing(line, &output, &errors)
    // Warnings are printed where errors are.
    let said = contents(errors).split(separator: "\n")
    let warnings = said.filter { $0.contains("WARNING:") }.map { $0 + "\n" }.joined()
    return Reply(
      status: UInt8(truncatingIfNeeded: status), output: contents(output) + warnings,
      errors: said.filter { !$0.contains("WARNING:") }.map { $0 + "\n" }.joined())
  }

  private static func contents(_ file: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = pread(file, &buffer, buffer.count, off_t(bytes.count))
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }
}
