import Storage
import Synchronization

/// Runs blocking `work` that may hang for ever (a dead network mount) on a thread of its own and waits at most `limit`.
///
/// At most one thread exists for each `what`: calls of the same `what` run one after the other, and while one hangs
/// past its limit all others fail at once. The hung thread ends when the kernel lets it go.
/// - Parameter what: names the operation and its object, for the message and as the key: `statfs /mnt/x`.
/// - Throws: `StorageError.unavailable` on time-out, `CancellationError`, or what `work` throws.
package func withTimeLimit<T: Sendable>(
  _ limit: Duration, _ what: String, _ work: @escaping @Sendable () throws -> T
) async throws -> T {
  let call = LimitedCall<T>()
  let late = StorageError.unavailable("\(what) did not answer within \(limit)")
  return try await withTaskCancellationHandler {
    try await withCheckedThrowingContinuation { continuation in
      let timer = Task {
        guard (try? await Task.sleep(for: limit)) != nil else { return }
        // The verdict comes first: whoever asks after this call has thrown finds the entry marked.
        if call.isOpen { LimitedLane.markHung(what) }
        call.settle(.failure(late))
      }
      call.open(continuation, timer)
      LimitedLane.submit(
        what,
        LimitedLane.Job(
          run: { if call.isOpen { call.settle(Result { try work() }) } },
          refuse: { call.settle(.failure(StorageError.unavailable("\(what) still hangs"))) }))
    }
  } onCancel: {
    call.settle(.failure(CancellationError()))
  }
}

/// One caller of `withTimeLimit`: settled exactly once, by the worker, the timer or cancellation.
private final class LimitedCall<T: Sendable>: Sendable {
  private enum State {
    case new
    case open(CheckedContinuation<T, any Error>, Task<Void, Never>)
    case settledEarly(Result<T, any Error>)
    case done
  }
  private let state = Mutex(State.new)

  var isOpen: Bool {
    state.withLock { if case .open = $0 { true } else { false } }
  }

  func open(_ continuation: CheckedContinuation<T, any Error>, _ timer: Task<Void, Never>) {
    let early = state.withLock { state -> Result<T, any Error>? in
      if case .settledEarly(let result) = state {
        state = .done
        return result
      }
      state = .open(continuation, timer)
      return nil
    }
    if let early {
      timer.cancel()
      continuation.resume(with: early)
    }
  }

  func settle(_ result: Result<T, any Error>) {
    let open = state.withLock { state -> (CheckedContinuation<T, any Error>, Task<Void, Never>)? in
      switch state {
      case .open(let continuation, let timer):
        state = .done
        return (continuation, timer)
      case .new:
        state = .settledEarly(result)
        return nil
      case .settledEarly, .done:
        return nil
      }
    }
    open?.1.cancel()
    open?.0.resume(with: result)
  }
}

/// The threads of `withTimeLimit`, one for each `what` in use.
private enum LimitedLane {
  struct Job: Sendable {
    let run: @Sendable () -> Void
    let refuse: @Sendable () -> Void
  }

  private struct Lane {
    var waiting: [Job] = []
    var isHung = false
  }

  private static let lanes = Mutex<[String: Lane]>([:])

  static func submit(_ what: String, _ job: Job) {
    enum Step { case start, wait, refuse }
    let step = lanes.withLock { lanes -> Step in
      guard let lane = lanes[what] else {
        lanes[what] = Lane(waiting: [job])
        return .start
      }
      if lane.isHung { return .refuse }
      lanes[what]?.waiting.append(job)
      return .wait
    }
    switch step {
    case .wait: break
    case .refuse: job.refuse()
    case .start:
      if !Thread.start(name: "limited", { work(what) }) {
        lanes.withLock { lanes in lanes.removeValue(forKey: what)?.waiting ?? [] }.forEach { $0.refuse() }
      }
    }
  }

  /// The running job of `what` is past its limit: those that wait behind it fail now, and so do newcomers.
  static func markHung(_ what: String) {
    let stranded = lanes.withLock { lanes -> [Job] in
      guard let lane = lanes[what] else { return [] }
      lanes[what] = Lane(isHung: true)
      return lane.waiting
    }
    stranded.forEach { $0.refuse() }
  }

  private static func work(_ what: String) {
    while true {
      let job = lanes.withLock { lanes -> Job? in
        guard let lane = lanes[what], !lane.waiting.isEmpty else {
          lanes[what] = nil
          return nil
        }
        return lanes[what]?.waiting.removeFirst()
      }
      guard let job else { return }
      job.run()
    }
  }
}
