import Synchronization

/// Waits for objects of a service to change. Any number of waiters cost one list a round, and none when nobody waits.
///
/// A waiter is looked at 300 ms after it began, then ever more rarely. A round that is made for one serves all.
package final class Poller<Object: Sendable>: Sendable {
  /// A round that takes longer than this has failed; the next one is made.
  static var patience: Duration { .seconds(30) }
  /// Each so many rounds the whole list is read, in case that clocks have hidden a change.
  static var wholeEvery: Int { 8 }

  private let source: PollSource<Object>
  private let schedule: PollSchedule
  private let state = Mutex(State())

  private struct State {
    var waiters: [Int: Waiter] = [:]
    var next = 0
    var rounds = 0
    var isRunning = false
    /// Ends the pause of the loop when a waiter comes.
    var alarm: Promise<Void>?
    var lastRound: ContinuousClock.Instant?
  }

  private struct Waiter: Sendable {
    let id: ResourceID
    let began: ContinuousClock.Instant
    let expectsEnd: Bool
    /// Takes what was seen; true when the wait is over.
    let observe: @Sendable (Object?) -> Bool
    let fail: @Sendable (any Error) -> Void
    var looks = 0
    var due: ContinuousClock.Instant
    /// It exists, but no list has it.
    var isOutside = false
    var lastState: String?
    var lastError: OpenStackError?
  }

  package init(_ source: PollSource<Object>, schedule: PollSchedule = PollSchedule()) {
    self.source = source
    self.schedule = schedule
  }

  /// How many waits are going on.
  package var count: Int { state.withLock { $0.waiters.count } }

  /// Waits until `decide` says what came of the object.
  /// - Parameters:
  ///   - began: from when on the object may have changed: before the request that set it going.
  ///   - expectsEnd: the wait is for the object to vanish.
  ///   - decide: is given the object, or nil when there is none; gives nil to go on waiting, or throws.
  /// - Throws: what `decide` throws; `OpenStackError` when the deadline passes or the service refuses to tell;
  ///   `CancellationError`.
  package func wait<Result: Sendable>(
    for id: ResourceID, began: ContinuousClock.Instant = .now, deadline: ContinuousClock.Instant,
    expectsEnd: Bool = false, until decide: @escaping @Sendable (Object?) throws -> Result?
  ) async throws -> Result {
    let promise = Promise<Result>()
    let waiter = Waiter(
      id: id, began: began, expectsEnd: expectsEnd,
      observe: { object in
        do {
          guard let result = try decide(object) else { return false }
          promise.settle(.success(result))
        } catch { promise.settle(.failure(error)) }
        return true
      }, fail: { promise.settle(.failure($0)) }, due: .now + schedule.first)
    let number = enter(waiter)
    do { return try await promise.value(deadline: deadline) } catch {
      let left = state.withLock { $0.waiters.removeValue(forKey: number) }
      guard error is WaitTimeout else { throw error }
      if let error = left?.lastError, left?.lastState == nil { throw error }
      let seen = left?.lastState.map { "is still \($0)" } ?? "did not show what became of it"
      throw OpenStackError(source.service, .timedOut, "\(source.kind) \(id) \(seen)")
    }
  }

  private func enter(_ waiter: Waiter) -> Int {
    let (number, mustRun, alarm) = state.withLock { state -> (Int, Bool, Promise<Void>?) in
      state.next += 1
      state.waiters[state.next] = waiter
      defer {
        state.isRunning = true
        state.alarm = nil
      }
      return (state.next, !state.isRunning, state.alarm)
    }
    alarm?.settle(.success(()))
    if mustRun { Task.detached { [self] in await run() } }
    return number
  }

  /// Rounds, until nobody waits.
  private func run() async {
    while let (due, alarm) = pause() {
      if due > .now {
        // A newcomer may want an earlier round.
        try? await alarm.value(deadline: due)
        continue
      }
      await round()
    }
  }

  /// When the next round is; nil at the end.
  private func pause() -> (ContinuousClock.Instant, Promise<Void>)? {
    state.withLock { state in
      guard let due = state.waiters.values.map(\.due).min() else {
        state.isRunning = false
        return nil
      }
      let alarm = Promise<Void>()
      state.alarm = alarm
      return (max(due, state.lastRound.map { $0 + schedule.first } ?? due), alarm)
    }
  }

  private func round() async {
    let start = ContinuousClock.now
    let (waiters, number) = state.withLock { state -> ([Int: Waiter], Int) in
      state.rounds += 1
      state.lastRound = start
      return (state.waiters, state.rounds)
    }
    let deadline = start + Self.patience
    let ids = Set(waiters.values.map(\.id))
    if ids.count <= schedule.singly {
      await ask(Set(waiters.values.filter { $0.due <= start }.map(\.id)), deadline)
      return
    }
    do {
      let isWholeTurn = number % Self.wholeEvery == 0
      let extent = Self.extent(waiters.values, whole: isWholeTurn)
      let listing = try await source.list(extent, deadline)
      var missing = take(listing, waiters)
      if !listing.isPartial {
        // Objects that this list never has: some each round, so that a round stays cheap.
        missing.formUnion(Set(waiters.values.filter(\.isOutside).map(\.id)).shuffled().prefix(schedule.singly))
      }
      await ask(missing, deadline)
    } catch { note(error, Set(waiters.keys), ids) }
  }

  private static func extent(_ waiters: some Collection<Waiter>, whole: Bool) -> PollSource<Object>.Extent {
    guard !whole, !waiters.contains(where: \.expectsEnd), let began = waiters.map(\.began).min() else { return .all }
    return .changed(since: began)
  }

  /// Tells the waiters what the list shows.
  /// - Returns: those that must be asked for by themselves.
  private func take(
    _ listing: PollSource<Object>.Listing, _ waiters: [Int: Waiter]
  ) -> Set<ResourceID> {
    var missing: Set<ResourceID> = []
    for (number, waiter) in waiters {
      if let object = listing.objects[waiter.id] {
        tell(number, waiter, object)
      } else if listing.isPartial || waiter.isOutside {
        looked(number)
      } else if listing.isWhole {
        tell(number, waiter, nil)
      } else {
        missing.insert(waiter.id)
      }
    }
    return missing
  }

  /// Asks for these objects one by one.
  private func ask(_ ids: Set<ResourceID>, _ deadline: ContinuousClock.Instant) async {
    await withTaskGroup { group in
      for id in ids {
        group.addTask { [self] in
          let waiting = waiters(of: id)
          do {
            let object = try await source.get(id, deadline)
            for (number, waiter) in waiting { tell(number, waiter, object, isOutside: object != nil) }
          } catch { note(error, Set(waiting.keys), [id]) }
        }
      }
    }
  }

  private func waiters(of id: ResourceID) -> [Int: Waiter] {
    state.withLock { state in state.waiters.filter { $0.value.id == id } }
  }

  private func tell(_ number: Int, _ waiter: Waiter, _ object: Object?, isOutside: Bool = false) {
    if waiter.observe(object) {
      _ = state.withLock { $0.waiters.removeValue(forKey: number) }
    } else {
      looked(number, object.map(source.state) ?? "absent", isOutside: isOutside)
    }
  }

  private func looked(_ number: Int, _ seen: String? = nil, isOutside: Bool = false) {
    state.withLock { state in
      guard var waiter = state.waiters[number] else { return }
      waiter.looks += 1
      waiter.due = .now + schedule.interval(after: waiter.looks)
      waiter.lastState = seen ?? waiter.lastState
      waiter.isOutside = waiter.isOutside || isOutside
      state.waiters[number] = waiter
    }
  }

  /// A round that failed is made again later, except when the service will never answer otherwise.
  private func note(_ error: any Error, _ numbers: Set<Int>, _ ids: Set<ResourceID>) {
    let failure = error as? OpenStackError
    let isFinal = failure.map { [.unauthenticated, .forbidden, .unsupported].contains($0.kind) } ?? false
    for number in numbers {
      if isFinal {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.fail(error)
      } else {
        state.withLock { $0.waiters[number]?.lastError = failure }
        looked(number)
      }
    }
  }
}
