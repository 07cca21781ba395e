import CLinux
import Glibc
import Storage
import Synchronization

/// File systems held frozen by a process of their own, so that they thaw when this process dies, however it dies.
///
/// The guard is our own executable run as `stowage freeze-guard PATH...` (see `runGuard`). It thaws when told to, when
/// its standard input ends, and not before: signals that end a service are not for it. Should the guard itself be
/// killed, the file systems stay frozen until `thawAll`.
package final class FreezeGuard: Sendable {
  let process: pid_t
  private let control: Int32
  private let answers: Int32
  private let isOver = Atomic<Bool>(false)

  private init(process: pid_t, control: Int32, answers: Int32) {
    self.process = process
    self.control = control
    self.answers = answers
  }

  deinit {
    guard !isOver.load(ordering: .acquiring) else { return }
    close(control)
    close(answers)
    OwnProgram.reap(process)
  }

  /// Freezes the file systems mounted at `mountPoints`, all or none (FIFREEZE: ext4, xfs, btrfs and others): what was
  /// written is on the device when this returns, and writers wait. Blocks. Two mounts of one file system count as one.
  /// - Parameters:
  ///   - executable: a program whose `freeze-guard` sub-command calls `runGuard`; by default this very one.
  ///   - limit: for all of it; slow devices take long to write out.
  /// - Throws: `StorageError.failed` with what could not be frozen, `.busy` while somebody else holds it frozen,
  ///   `.unavailable` past the limit; nothing is frozen then, or will stay so.
  package static func freeze(
    _ mountPoints: [String], executable: String = "/proc/self/exe", limit: Duration = .seconds(60)
  ) async throws -> FreezeGuard {
    let held = try start(executable, mountPoints)
    do {
      let answer = try held.readAnswer(by: .now + limit)
      // Somebody else holds it frozen: most likely the guard of a server that was killed, which is about to thaw it.
      if answer.hasSuffix("(EBUSY)") { throw StorageError.busy("a freeze is under way: \(answer)") }
      guard answer == "frozen" else { throw StorageError.failed("cannot freeze: \(answer)") }
      return held
    } catch {
      held.release()
      throw error
    }
  }

  /// Thaws and waits until it is done. Succeeds when it was done before.
  /// - Throws: `StorageError.failed` when a file system could not be thawed or the guard died; call `thawAll` then.
  package func thaw() async throws {
    guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { return }
    defer {
      close(answers)
      OwnProgram.reap(process)
    }
    // End of input means "thaw" as well: that is what our death would look like.
    close(control)
    let answer = try readAnswer(by: .now + .seconds(60))
    guard answer == "thawed" else { throw StorageError.failed("cannot thaw: \(answer)") }
  }

  private func release() {
    guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { return }
    close(control)
    close(answers)
    OwnProgram.reap(process)
  }

  /// Thaws whatever of `mountPoints` is frozen, without a guard: after the guard was killed, and when a server starts.
  /// Paths that are not there, not mounted or not frozen are passed over.
  package static func thawAll(_ mountPoints: [String]) {
    for path in mountPoints {
      guard let directory = try? Descriptor(opening: path, O_RDONLY | O_NONBLOCK) else { continue }
      _ = cl_thaw(directory.raw)
    }
  }

  // MARK: the child

  private static func start(_ executable: String, _ mountPoints: [String]) throws -> FreezeGuard {
    let input = try Pipe()
    let output = try Pipe()
    HostCounters.countProgram()
    let process = try OwnProgram.start(
      executable, ["freeze-guard"] + mountPoints, input: input.reading, output: output.writing)
    return FreezeGuard(process: process, control: try input.takeWriting(), answers: try output.takeReading())
  }

  /// A line of the guard, without the newline.
  private func readAnswer(by deadline: ContinuousClock.Instant) throws -> String {
    var line: [UInt8] = []
    while true {
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else { throw StorageError.unavailable("the file systems did not freeze or thaw in time") }
      var entry = pollfd(fd: answers, events: Int16(POLLIN), revents: 0)
      let milliseconds = left.components.seconds * 1000 + 1
      guard poll(&entry, 1, Int32(clamping: milliseconds)) > 0 else { continue }
      var byte: UInt8 = 0
      let count = read(answers, &byte, 1)
      if count < 0, errno == EINTR { continue }
      guard count == 1 else { throw StorageError.failed("the freeze guard died") }
      if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
      if line.count < 1024 { line.append(byte) }
    }
  }
}
