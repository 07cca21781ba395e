import Synchronization

/// Lets a bounded number of requests through at a time, in the order of their coming.
final class Limiter: Sendable {
  private struct State {
    var free: Int
    var queue: [Promise<Void>] = []
  }
  private let state: Mutex<State>

  init(_ count: Int) { state = Mutex(State(free: max(1, count))) }

  /// Waits for a place and runs `body` there.
  /// - Throws: what `body` throws; `CancellationError`; `WaitTimeout` when no place is free before the deadline.
  func run<T: Sendable>(deadline: ContinuousClock.Instant, _ body: () async throws -> T) async throws -> T {
    try await enter(deadline)
    defer { leave() }
    return try await body()
  }

  private func enter(_ deadline: ContinuousClock.Instant) async throws {
    let turn = state.withLock { state -> Promise<Void>? in
      guard state.free == 0 else {
        state.free -= 1
        return nil
      }
      let turn = Promise<Void>()
      state.queue.append(turn)
      return turn
    }
    guard let turn else { return }
    do { try await turn.value(deadline: deadline) } catch {
      // Whoever has the turn already must hand it on.
      let isQueued = state.withLock { state in
        guard let index = state.queue.firstIndex(where: { $0 === turn }) else { return false }
        state.queue.remove(at: index)
        return true
      }
      if !isQueued { leave() }
      throw error
    }
  }

  private func leave() {
    let next = state.withLock { state -> Promise<Void>? in
      guard !state.queue.isEmpty else {
        state.free += 1
        return nil
      }
      return state.queue.removeFirst()
    }
    next?.settle(.success(()))
  }
}
