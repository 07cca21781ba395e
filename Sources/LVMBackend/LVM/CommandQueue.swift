import Glibc
import Host
import Logging
import Storage
import Synchronization

/// Work that blocks, one piece after another, each to its end, on a thread of its own.
///
/// While one piece runs longer than the limit, whatever waits behind it and whatever comes is refused at once.
final class CommandQueue: Sendable {
  /// Why a piece of work was not begun.
  struct Refusal: Error {
    let error: StorageError
  }

  private struct Job {
    let number: Int
    let what: String
    let run: @Sendable () -> Void
    let refuse: @Sendable (Refusal) -> Void
  }

  private struct State {
    var waiting: [Job] = []
    var current: (what: String, since: ContinuousClock.Instant)?
    var isWatched = false
    var lastNumber = 0
  }

  private let state = Mutex(State())
  private let limit: Duration
  private let logger: Logger

  init(limit: Duration, logger: Logger) {
    self.limit = limit
    self.logger = logger
  }

  /// How long the present piece of work has been running.
  var running: Duration? { state.withLock { $0.current?.since.duration(to: .now) } }

  /// Runs `work` after all that came before, whatever becomes of the caller.
  /// - Parameters:
  ///   - what: names it for those that it keeps waiting.
  ///   - patience: how long it may wait for its turn; nil: as long as others may run.
  /// - Throws: `Refusal`, or what `work` throws.
  func run<T: Sendable>(
    _ what: String, patience: Duration? = nil, _ work: @escaping @Sendable () throws -> T
  ) async throws -> T {
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    let timer = patience.map { patience in
      Task { if (try? await Task.sleep(for: patience)) != nil { withdraw(number, after: patience) } }
    }
    defer { timer?.cancel() }
    return try await withCheckedThrowingContinuation { continuation in
      submit(
        Job(
          number: number, what: what, run: { continuation.resume(with: Result { try work() }) },
          refuse: { continuation.resume(throwing: $0) }))
    }
  }

  /// Refuses a piece of work that still waits.
  private func withdraw(_ number: Int, after patience: Duration) {
    let (job, current) = state.withLock { state -> (Job?, String?) in
      let index = state.waiting.firstIndex { $0.number == number }
      return (index.map { state.waiting.remove(at: $0) }, state.current?.what)
    }
    job?.refuse(Refusal(error: .unavailable("LVM: \(current ?? "other work") has kept this waiting for \(patience)")))
  }

  private func submit(_ job: Job) {
    enum Step { case wait, start, refuse(Refusal) }
    let (step, startsWatch) = state.withLock { state -> (Step, Bool) in
      if let refusal = Self.refusal(state, limit) { return (.refuse(refusal), false) }
      let startsWatch = !state.isWatched
      state.isWatched = true
      state.waiting.append(job)
      guard state.current == nil else { return (.wait, startsWatch) }
      state.current = (job.what, .now)
      return (.start, startsWatch)
    }
    if startsWatch { Task { await watch() } }
    switch step {
    case .wait: break
    case .refuse(let refusal): job.refuse(refusal)
    case .start:
      if !Thread.start(name: "lvm", { self.work() }) {
        let stranded = state.withLock { state in
          state.current = nil
          defer { state.waiting = [] }
          return state.waiting
        }
        let refusal = Refusal(error: .unavailable("the system has no thread to give"))
        stranded.forEach { $0.refuse(refusal) }
      }
    }
  }

  private func work() {
    // A worker that died is told by the write that fails; SIGPIPE is for nobody.
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipe, nil)
    while true {
      let job = state.withLock { state -> Job? in
        guard !state.waiting.isEmpty else {
          state.current = nil
          return nil
        }
        let job = state.waiting.removeFirst()
        state.current = (job.what, .now)
        return job
      }
      guard let job else { return }
      job.run()
    }
  }

  private static func refusal(_ state: State, _ limit: Duration) -> Refusal? {
    guard let (what, since) = state.current, case let time = since.duration(to: .now), time >= limit else { return nil }
    return Refusal(error: .unavailable("LVM: \(what) has been running for \(time.components.seconds) s"))
  }

  /// Wakes when the present piece of work passes the limit; ends when nothing runs.
  private func watch() async {
    var told: ContinuousClock.Instant?
    while true {
      let (deadline, refusal, stranded) = state.withLock { state in
        guard let current = state.current else {
          state.isWatched = false
          return (ContinuousClock.Instant?.none, Refusal?.none, [Job]())
        }
        let refusal = Self.refusal(state, limit)
        let stranded = refusal == nil ? [] : state.waiting
        if refusal != nil { state.waiting = [] }
        return (refusal == nil ? current.since + limit : .now + limit, refusal, stranded)
      }
      guard let deadline else { return }
      if let refusal {
        if told == nil { logger.error("a command hangs", metadata: ["error": "\(refusal.error)"]) }
        told = .now
        stranded.forEach { $0.refuse(refusal) }
      } else {
        told = nil
      }
      try? await Task.sleep(until: deadline, clock: .continuous)
    }
  }
}
