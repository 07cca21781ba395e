import Synchronization

/// A value that comes later, for any number of waiters. Each waits as long as it likes and may be cancelled.
final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var result: Result<Value, any Error>?
    var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
    var left: Set<Int> = []
    var next = 0
  }
  private let state = Mutex(State())

  /// - Throws: what the promise was broken with; `CancellationError`; `WaitTimeout` when the deadline passes first.
  func value(deadline: ContinuousClock.Instant? = nil) async throws -> Value {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    let timer = deadline.map { deadline in
      Task {
        try await Task.sleep(until: deadline, clock: .continuous)
        self.leave(number, WaitTimeout())
      }
    }
    defer { timer?.cancel() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let early: Result<Value, any Error>? = state.withLock { state in
          if let result = state.result { return result }
          if state.left.remove(number) != nil { return .failure(Self.reason(deadline)) }
          state.waiters[number] = continuation
          return nil
        }
        if let early { continuation.resume(with: early) }
      }
    } onCancel: {
      leave(number, CancellationError())
    }
  }

  /// Why somebody left before it began to wait.
  private static func reason(_ deadline: ContinuousClock.Instant?) -> any Error {
    if let deadline, deadline <= .now, !Task.isCancelled { return WaitTimeout() }
    return CancellationError()
  }

  private func leave(_ number: Int, _ error: any Error) {
    let waiter = state.withLock { state in
      if state.result == nil, state.waiters[number] == nil { state.left.insert(number) }
      return state.waiters.removeValue(forKey: number)
    }
    waiter?.resume(throwing: error)
  }

  /// The first result counts.
  func settle(_ result: Result<Value, any Error>) {
    let waiters = state.withLock { state in
      guard state.result == nil else { return [CheckedContinuation<Value, any Error>]() }
      state.result = result
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(with: result) }
  }
}

/// The deadline passed while waiting for something inside this process.
struct WaitTimeout: Error {}
