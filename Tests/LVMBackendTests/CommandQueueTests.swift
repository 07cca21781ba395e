import Glibc
import Logging
import Storage
import Synchronization
import Testing

@testable import LVMBackend

@Suite struct CommandQueueTests {
  /// Keeps the queue busy until told.
  private final class Brake: Sendable {
    let isReleased = Atomic<Bool>(false)
    func hold() {
      while !isReleased.load(ordering: .acquiring) { usleep(1000) }
    }
  }

  @Test func `work whose turn does not come in time is never begun`() async throws {
    let queue = CommandQueue(limit: .seconds(60), logger: Logger(label: "test"))
    let brake = Brake()
    async let first = queue.run("the first") {
      brake.hold()
      return 1
    }
    while queue.running == nil { try await Task.sleep(for: .milliseconds(1)) }
    let isBegun = Mutex(false)
    do {
      try await queue.run("the second", patience: .milliseconds(50)) { isBegun.withLock { $0 = true } }
      Issue.record("it was begun beside the first")
    } catch let refusal as CommandQueue.Refusal {
      #expect("\(refusal.error)".contains("the first has kept this waiting"))
    }
    brake.isReleased.store(true, ordering: .releasing)
    #expect(try await first == 1)
    // In turn, it takes the time that it takes.
    let last = try await queue.run("the last", patience: .milliseconds(50)) {
      usleep(200_000)
      return 3
    }
    #expect(last == 3)
    #expect(isBegun.withLock { !$0 })
  }
}
