import Glibc
import Storage
import Synchronization
import Testing

@testable import Host

/// Counts how many are inside at once.
private final class Turnstile: Sendable {
  private let state = Mutex((now: 0, most: 0, total: 0))

  var now: Int { state.withLock { $0.now } }
  var most: Int { state.withLock { $0.most } }
  var total: Int { state.withLock { $0.total } }

  func pass(staying microseconds: UInt32) {
    state.withLock {
      $0.now += 1
      $0.total += 1
      $0.most = max($0.most, $0.now)
    }
    usleep(microseconds)
    state.withLock { $0.now -= 1 }
  }
}

/// A value that tasks share.
private final class Shared<Value: Sendable>: Sendable {
  private let state: Mutex<Value>
  init(_ value: Value) { state = Mutex(value) }
  var value: Value { state.withLock { $0 } }
  func change(_ body: @Sendable (inout Value) -> Void) { state.withLock { body(&$0) } }
}

@Suite struct ThreadPoolTests {
  private func threadName() -> String {
    FileContents.line("/proc/thread-self/comm") ?? ""
  }

  @Test func `a task that prefers the pool runs on its threads, also after it waited`() async {
    let pool = ThreadPool(name: "test-pool", threads: 2)
    let names = await Task(executorPreference: pool) {
      let before = threadName()
      await Task.yield()
      return [before, threadName()]
    }.value
    #expect(names == ["test-pool", "test-pool"])
  }

  @Test func `no more jobs run at once than there are threads, and all of them run`() async {
    let pool = ThreadPool(name: "bounded", threads: 3)
    let turnstile = Turnstile()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<60 { group.addTask(executorPreference: pool) { turnstile.pass(staying: 2000) } }
    }
    #expect(turnstile.now == 0 && turnstile.total == 60)
    #expect(turnstile.most == 3)
  }

  @Test func `one thread runs jobs in the order in which they came`() async {
    let pool = ThreadPool(name: "ordered", threads: 1)
    let order = Shared<[Int]>([])
    let gate = Task(executorPreference: pool) { _ = usleep(20_000) }
    let tasks = (0..<500).map { number in
      Task(executorPreference: pool) { order.change { $0.append(number) } }
    }
    await gate.value
    for task in tasks { await task.value }
    #expect(order.value == Array(0..<500))
  }

  @Test func `threads are made only when work waits for them`() async throws {
    let pool = ThreadPool(name: "lazy-pool", threads: 8)
    for _ in 0..<20 {
      await Task(executorPreference: pool) {}.value
      // The job ends a moment before its thread is free for the next one.
      while pool.idle == 0 { _ = usleep(100) }
    }
    #expect(try threads(named: "lazy-pool") == 1)
  }
}

@Suite struct TimeLimitTests {
  private struct Failure: Error {}

  @Test func `results and errors of the work come back`() async throws {
    #expect(try await withTimeLimit(.seconds(60), "answer") { 42 } == 42)
    await #expect(throws: Failure.self) { try await withTimeLimit(.seconds(60), "fail") { throw Failure() } }
  }

  @Test func `calls of one name run one after the other, all of them`() async throws {
    let turnstile = Turnstile()
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<50 {
        group.addTask {
          try await withTimeLimit(.seconds(60), "one at a time") {
            turnstile.pass(staying: 200)
            return number
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 1225)
    #expect(turnstile.most == 1)
  }

  @Test func `a hung call times out, refuses its name meanwhile and frees it when it ends`() async throws {
    let release = Shared(false)
    let first = Task {
      try await withTimeLimit(.milliseconds(20), "hung") { while !release.value { usleep(1000) } }
    }
    await #expect(throws: StorageError.self) { try await first.value }
    let runs = Shared(0)
    for _ in 0..<10 {
      await #expect(throws: StorageError.unavailable("hung still hangs")) {
        try await withTimeLimit(.seconds(60), "hung") { runs.change { $0 += 1 } }
      }
    }
    try await withTimeLimit(.seconds(60), "another") {}
    #expect(runs.value == 0)
    release.change { $0 = true }
    #expect(try await eventually { (try? await withTimeLimit(.seconds(60), "hung") {}) != nil })
  }

  @Test func `cancellation lets the caller go at once`() async throws {
    let release = Shared(false)
    let task = Task {
      try await withTimeLimit(.seconds(60), "cancelled") { while !release.value { usleep(1000) } }
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    release.change { $0 = true }
  }
}
