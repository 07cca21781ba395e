import Storage
import Synchronization
import Testing

/// A door that an operation waits at until the test opens it.
private final class Door: Sendable {
  private let stream: AsyncStream<Void>
  private let opener: AsyncStream<Void>.Continuation
  init() { (stream, opener) = AsyncStream.makeStream() }
  func open() { opener.finish() }
  func wait() async { for await _ in stream {} }
}

private let key = OperationKey.volumeName("a")
private let other = OperationKey.volumeName("b")

private func isBusy(_ error: any Error) -> Bool {
  if case StorageError.busy = error { true } else { false }
}

@Suite struct OperationGateTests {
  let gate = OperationGate()

  /// Runs an operation that has begun when this returns and that ends when the door opens.
  private func begin(
    exclusive: [OperationKey], shared: [OperationKey] = [], request: String, door: Door, runs: Counter = Counter()
  ) async -> Task<Int, any Error> {
    let begun = Door()
    let task = Task { [gate] in
      try await gate.run(exclusive: exclusive, shared: shared, request: request) {
        let number = runs.next()
        begun.open()
        await door.wait()
        return number
      }
    }
    await begun.wait()
    return task
  }

  @Test func `a second call on a busy key is refused at once`() async throws {
    let door = Door()
    let first = await begin(exclusive: [key], request: "one", door: door)
    await #expect(performing: { try await gate.run(exclusive: [key], request: "two") { 0 } }, throws: isBusy)
    await #expect(
      performing: { try await gate.run(exclusive: [], shared: [key], request: "two") { 0 } }, throws: isBusy)
    door.open()
    #expect(try await first.value == 1)
    #expect(gate.heldKeys == 0)
  }

  @Test func `another key runs at the same time`() async throws {
    let door = Door()
    let first = await begin(exclusive: [key], request: "one", door: door)
    #expect(try await gate.run(exclusive: [other], request: "one") { 7 } == 7)
    door.open()
    _ = try await first.value
  }

  @Test func `sharers run together and keep exclusive calls out`() async throws {
    let door = Door()
    let first = await begin(exclusive: [other], shared: [key], request: "one", door: door)
    #expect(try await gate.run(exclusive: [], shared: [key], request: "two") { 7 } == 7)
    await #expect(performing: { try await gate.run(exclusive: [key], request: "three") { 0 } }, throws: isBusy)
    door.open()
    _ = try await first.value
    #expect(try await gate.run(exclusive: [key], request: "three") { 8 } == 8)
    #expect(gate.heldKeys == 0)
  }

  @Test func `a repeat is refused while its first caller waits`() async throws {
    let door = Door()
    let first = await begin(exclusive: [key], request: "one", door: door)
    await #expect(performing: { try await gate.run(exclusive: [key], request: "one") { 0 } }, throws: isBusy)
    door.open()
    _ = try await first.value
  }

  @Test func `a repeat joins the operation of a caller that left`() async throws {
    let door = Door()
    let runs = Counter()
    let first = await begin(exclusive: [key], request: "one", door: door, runs: runs)
    first.cancel()
    await #expect(throws: CancellationError.self) { try await first.value }
    await #expect(performing: { try await gate.run(exclusive: [key], request: "two") { 0 } }, throws: isBusy)
    let second = Task { [gate] in try await gate.run(exclusive: [key], request: "one") { runs.next() + 100 } }
    // The repeat has joined when a third one is refused.
    while true {
      do {
        let third = Task { [gate] in try await gate.run(exclusive: [key], request: "one") { -1 } }
        third.cancel()
        _ = try await third.value
      } catch StorageError.busy {
        break
      } catch {}
      await Task.yield()
    }
    door.open()
    #expect(try await second.value == 1)
    #expect(runs.count == 1)
  }

  @Test func `the error of an abandoned operation is dropped and the repeat runs anew`() async throws {
    let door = Door()
    let begun = Door()
    let first = Task { [gate] in
      try await gate.run(exclusive: [key], request: "one") { () -> Int in
        begun.open()
        await door.wait()
        throw StorageError.failed("lost")
      }
    }
    await begun.wait()
    first.cancel()
    _ = await first.result
    door.open()
    while gate.heldKeys > 0 { await Task.yield() }
    #expect(try await gate.run(exclusive: [key], request: "one") { 5 } == 5)
  }

  @Test func `a cancelled caller starts nothing`() async {
    let runs = Counter()
    let task = Task { [gate] in
      withUnsafeCurrentTask { $0?.cancel() }
      return try await gate.run(exclusive: [key], request: "one") { runs.next() }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(runs.count == 0)
  }

  @Test func `an error frees the keys`() async {
    await #expect(throws: StorageError.failed("no")) {
      try await gate.run(exclusive: [key], shared: [other], request: "one") { () -> Int in
        throw StorageError.failed("no")
      }
    }
    #expect(gate.heldKeys == 0)
  }

  @Test func `the operation keeps to its caller's executor`() async throws {
    let executor = PlainExecutor()
    let gate = gate
    let ranThere = try await Task(executorPreference: executor) {
      try await gate.run(exclusive: [key], request: "one") { executor.isCurrent }
    }.value
    #expect(ranThere)
  }
}

private final class Counter: Sendable {
  private let value = Atomic<Int>(0)
  var count: Int { value.load(ordering: .relaxed) }
  func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

private final class PlainExecutor: TaskExecutor {
  var isCurrent: Bool { withUnsafeCurrentTask { $0?.unownedTaskExecutor == asUnownedTaskExecutor() } }
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Task.detached { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
