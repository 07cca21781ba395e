import CSI
import GRPC
import Logging
import Storage
import Synchronization
import Telemetry

/// What surrounds every handler: the wait for readiness, the error table, one log line and the metrics. Generic over
/// the messages; handlers and backends know nothing of it.
struct CallChain: Sendable {
  /// How a call is treated.
  enum Kind: Sendable {
    /// Answered from memory on the poller, logged for debugging only, served before the backends are ready.
    case query
    /// Touches the system: runs on the pool, waits for nobody.
    case work
  }

  let logger: Logger
  let observer: (any CallObserver)?
  let readiness: Readiness
  private let numbers = Counter()

  init(logger: Logger, observer: (any CallObserver)?, readiness: Readiness) {
    self.logger = logger
    self.observer = observer
    self.readiness = readiness
  }

  /// - Parameter subject: the volume, snapshot or name that the log line names.
  func unary<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, _ kind: Kind = .work, subject: @escaping @Sendable (Q) -> String = { _ in "" },
    to handler: @escaping @Sendable (Q) async throws -> R
  ) -> Route {
    .unary(method.path, .csi(Q.self), .csi(R.self), dispatch: kind == .query ? .inline : .pool) { request, context in
      try await around(method.path, kind, context, subject: { subject(request) }) { try await handler(request) }
    }
  }

  func stream<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, subject: @escaping @Sendable (Q) -> String,
    to handler: @escaping @Sendable (Q, ResponseWriter<R>) async throws -> Void
  ) -> Route {
    .serverStream(method.path, .csi(Q.self), .csi(R.self), dispatch: .pool) { request, writer, context in
      try await around(method.path, .work, context, subject: { subject(request) }) {
        try await handler(request, writer)
      }
    }
  }

  private func around<R>(
    _ path: String, _ kind: Kind, _ context: CallContext, subject: () -> String, _ body: () async throws -> R
  ) async throws -> R {
    let began = ContinuousClock.now
    observer?.callBegan(path)
    do {
      if kind == .work, !readiness.isReady { throw StorageError.unavailable("the backends are being prepared") }
      let answer = try await body()
      finish(path, kind, context, began, subject, nil)
      return answer
    } catch {
      let passed = context.deadline.map { $0 <= .now } ?? false
      let status = Status(describing: error, deadlinePassed: passed)
      finish(path, kind, context, began, subject, status)
      throw status
    }
  }

  private func finish(
    _ path: String, _ kind: Kind, _ context: CallContext, _ began: ContinuousClock.Instant, _ subject: () -> String,
    _ failure: Status?
  ) {
    let spent = (ContinuousClock.now - began).components
    let seconds = Double(spent.seconds) + Double(spent.attoseconds) * 1e-18
    let code = failure?.code ?? .ok
    observer?.callEnded(path, code: code.name, seconds: seconds)
    let level: Logger.Level = kind == .query && failure == nil ? .debug : .info
    guard logger.logLevel <= level else { return }
    var metadata: Logger.Metadata = [
      "request_id": "\(numbers.next())", "method": "\(path)", "code": "\(code.name)",
      "duration_ms": "\((seconds * 1_000_000).rounded() / 1000)",
    ]
    let subject = subject()
    if !subject.isEmpty { metadata["volume_id"] = "\(subject)" }
    if let trace = context.metadata("traceparent") { metadata["traceparent"] = "\(trace)" }
    if let failure { metadata["error"] = "\(failure.message)" }
    logger.log(level: level, "call", metadata: metadata)
  }
}

/// Numbers calls within one process.
private final class Counter: Sendable {
  private let last = Atomic<UInt64>(0)
  func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}

extension Codec where Message: CSIMessage {
  static func csi(_ type: Message.Type) -> Codec<Message> {
    Codec(decode: { try Message(serialized: $0) }, encode: { try $0.serialize($1) })
  }
}
