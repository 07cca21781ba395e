import CCurl

/// The transfers of a `TransferLoop`: those that libcurl works on, and those that wait for their turn.
struct Transfers {
  let multi: UnsafeMutableRawPointer
  private let limits: TransferLoop.Limits
  /// In the order in which they came.
  var waiting: [Transfer] = []
  private var active: [ObjectIdentifier: Transfer] = [:]
  private var perOrigin: [HTTPOrigin: Int] = [:]

  init(multi: UnsafeMutableRawPointer, limits: TransferLoop.Limits) {
    self.multi = multi
    self.limits = limits
  }

  var isEmpty: Bool { active.isEmpty && waiting.isEmpty }
  /// nil: there is no transfer.
  var nextDeadline: ContinuousClock.Instant? {
    [active.values.lazy.map(\.deadline).min(), waiting.lazy.map(\.deadline).min()].compactMap { $0 }.min()
  }

  /// Does all that can be done without waiting.
  /// - Returns: false when libcurl fails.
  mutating func advance() -> Bool {
    repeat {
      expire()
      admit()
      guard ccurl_multi_perform(multi) == CURLM_OK else { return false }
    } while collect()
    return true
  }

  private mutating func expire() {
    let now = ContinuousClock.now
    let late = (waiting + Array(active.values)).filter { $0.deadline <= now }
    for transfer in late { end(transfer, .failure(HTTPError.timedOut(sent: transfer.isSent))) }
  }

  /// Starts what the limits allow. A request that must wait for its origin holds up none to others.
  private mutating func admit() {
    guard !waiting.isEmpty, active.count < limits.total else { return }
    let candidates = waiting
    waiting = []
    for transfer in candidates {
      if active.count < limits.total, perOrigin[transfer.origin, default: 0] < limits.perOrigin {
        begin(transfer)
      } else {
        waiting.append(transfer)
      }
    }
  }

  private mutating func begin(_ transfer: Transfer) {
    do {
      let easy = try transfer.prepare()
      guard ccurl_multi_add(multi, easy) == CURLM_OK else {
        throw HTTPError.unreachable("\(transfer.origin): libcurl takes no more transfers")
      }
      active[ObjectIdentifier(transfer)] = transfer
      perOrigin[transfer.origin, default: 0] += 1
    } catch {
      transfer.finish(.failure(error))
    }
  }

  /// - Returns: whether a transfer has ended.
  private mutating func collect() -> Bool {
    var found = false
    var code = CURLE_OK
    while let easy = ccurl_multi_next_done(multi, &code) {
      guard let raw = ccurl_get_private(easy) else { continue }
      let transfer = Unmanaged<Transfer>.fromOpaque(raw).takeUnretainedValue()
      end(transfer, transfer.outcome(code))
      found = true
    }
    return found
  }

  /// Ends those that match: what was sent is cut.
  mutating func end(_ reason: String, where matches: (Transfer) -> Bool) {
    for transfer in (waiting + Array(active.values)).filter(matches) {
      let message = "\(transfer.origin): \(reason)"
      end(transfer, .failure(transfer.isSent ? HTTPError.cut(message) : .unreachable(message)))
    }
  }

  /// Ends a transfer, wherever it is; nothing when it has ended.
  mutating func end(_ transfer: Transfer, _ result: Result<HTTPResponse, any Error>) {
    if active.removeValue(forKey: ObjectIdentifier(transfer)) != nil {
      if let easy = transfer.easy { _ = ccurl_multi_remove(multi, easy) }
      let left = perOrigin[transfer.origin, default: 1] - 1
      perOrigin[transfer.origin] = left > 0 ? left : nil
      transfer.finish(result)
    } else if let index = waiting.firstIndex(where: { $0 === transfer }) {
      waiting.remove(at: index)
      transfer.finish(result)
    }
  }
}
