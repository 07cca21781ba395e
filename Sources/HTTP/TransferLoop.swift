import CCurl
import Glibc
import Synchronization

/// The thread that drives all transfers. It starts with the first request, and ends when the last transport is closed or
/// when no connection is young enough to be used again.
final class TransferLoop: Sendable {
  static let shared = TransferLoop()

  struct Limits: Sendable {
    /// Transfers at one time to one origin, hence connections in use; with HTTP/2 one connection carries them all.
    var perOrigin = 16
    /// Transfers at one time, and idle connections that are kept.
    var total = 64
    /// libcurl does not use connections again that were idle for longer (CURLOPT_MAXAGE_CONN).
    var idle = Duration.seconds(118)
  }

  private enum Order {
    case start(Transfer)
    case cancel(Transfer)
    case close(TransferOwner)
  }

  /// What other threads may do with the multi handle.
  private struct Waker: @unchecked Sendable {
    let multi: UnsafeMutableRawPointer
    func wake() { _ = ccurl_multi_wakeup(multi) }
  }

  private struct State {
    var orders: [Order] = []
    /// Transports that sent something and were not closed.
    var users: Set<ObjectIdentifier> = []
    /// Not nil while the thread may wait in libcurl.
    var waker: Waker?
    var isRunning = false
  }

  private let limits: Limits
  private let state = Mutex(State())

  init(limits: Limits = Limits()) { self.limits = limits }

  var isRunning: Bool { state.withLock { $0.isRunning } }

  // MARK: From any thread

  func start(_ transfer: Transfer) {
    let isFirst = state.withLock { state in
      if !transfer.owner.isClosed.load(ordering: .acquiring) {
        state.users.insert(ObjectIdentifier(transfer.owner))
      }
      Self.give(.start(transfer), &state)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard isFirst, !startThread() else { return }
    giveUp("the system has no thread to give")
  }

  func cancel(_ transfer: Transfer) {
    transfer.isCancelled.store(true, ordering: .releasing)
    state.withLock { if $0.isRunning { Self.give(.cancel(transfer), &$0) } }
  }

  func close(_ owner: TransferOwner) {
    state.withLock {
      owner.isClosed.store(true, ordering: .releasing)
      $0.users.remove(ObjectIdentifier(owner))
      if $0.isRunning { Self.give(.close(owner), &$0) }
    }
  }

  private static func give(_ order: Order, _ state: inout State) {
    state.orders.append(order)
    state.waker?.wake()
  }

  private func startThread() -> Bool {
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self)
    let result = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        ccurl_begin_thread("http")
        Unmanaged<TransferLoop>.fromOpaque(raw).takeRetainedValue().run()
        return nil
      }, this.toOpaque())
    if result == 0 { pthread_detach(thread) } else { this.release() }
    return result == 0
  }

  // MARK: On the thread

  private func run() {
    let problem = ccurl_load().map { "\(String(cString: $0)); is the package libcurl4 installed?" }
    guard problem == nil, let multi = ccurl_multi_init() else {
      giveUp(problem ?? "no memory")
      return
    }
    _ = ccurl_multi_keep(multi, limits.total)
    let waker = Waker(multi: multi)
    state.withLock { $0.waker = waker }
    var transfers = Transfers(multi: multi, limits: limits)
    if !drive(&transfers) {
      giveUp("libcurl failed")
      transfers.end("libcurl failed") { _ in true }
    }
    _ = ccurl_multi_cleanup(multi)
  }

  /// - Returns: false when libcurl fails, true when there is nothing left to do.
  private func drive(_ transfers: inout Transfers) -> Bool {
    var lastUse = ContinuousClock.now
    while true {
      let orders = state.withLock { state in exchange(&state.orders, with: []) }
      for order in orders { carryOut(order, &transfers) }
      guard transfers.advance() else { return false }
      let now = ContinuousClock.now
      if !orders.isEmpty || !transfers.isEmpty { lastUse = now }
      if transfers.isEmpty, mayEnd(isIdle: now - lastUse >= limits.idle) { return true }
      let next = transfers.nextDeadline ?? lastUse + limits.idle
      guard ccurl_multi_poll(transfers.multi, Self.milliseconds(until: next)) == CURLM_OK else { return false }
    }
  }

  private func carryOut(_ order: Order, _ transfers: inout Transfers) {
    switch order {
    // Marks that are set from now on come with an order of their own.
    case .start(let transfer) where transfer.isCancelled.load(ordering: .acquiring):
      transfer.finish(.failure(CancellationError()))
    case .start(let transfer) where transfer.owner.isClosed.load(ordering: .acquiring):
      transfer.finish(.failure(HTTPError.unreachable("the transport was closed")))
    case .start(let transfer): transfers.waiting.append(transfer)
    case .cancel(let transfer): transfers.end(transfer, .failure(CancellationError()))
    case .close(let owner): transfers.end("the transport was closed") { $0.owner === owner }
    }
  }

  /// Whether there is no reason to go on. From then on nobody wakes this thread, and the next request gets a new one.
  private func mayEnd(isIdle: Bool) -> Bool {
    state.withLock { state in
      guard state.orders.isEmpty, isIdle || state.users.isEmpty else { return false }
      state.waker = nil
      state.isRunning = false
      return true
    }
  }

  /// Ends without a thread what waits for one.
  private func giveUp(_ reason: String) {
    let orders = state.withLock { state in
      state.waker = nil
      state.isRunning = false
      return exchange(&state.orders, with: [])
    }
    for case .start(let transfer) in orders { transfer.finish(.failure(HTTPError.unreachable(reason))) }
  }

  private static func milliseconds(until instant: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: instant) / .milliseconds(1)
    // Rounded up: a deadline has passed when the wait for it is over.
    return Int32(min(max(left.rounded(.up), 0), 3_600_000))
  }
}
