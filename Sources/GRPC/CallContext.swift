import CGRPC
import Synchronization

/// One call on the server, as its handler sees it: the method, the deadline, the caller's metadata.
package final class CallContext: Sendable {
  /// The full path, such as `/csi.v1.Identity/Probe`.
  package let method: String
  private let deadlineNanoseconds: Int64
  private let openContexts: OpenContexts
  private let state: Guarded<State>

  /// A call's handle. It may cross threads because the C side allows it: each function is called under `state`'s lock,
  /// or before the call is finished, and the pointer is dropped in `closed()` before the C side frees it.
  struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private struct State {
    var handle: Handle?
    var task: Task<Void, Never>?
    var isFinished = false
    /// The writer whose message is on its way, and those that wait behind it. gRPC core takes one at a time.
    var sending: UnsafeContinuation<Bool, Never>?
    var waiting: [(message: OutgoingMessage, continuation: UnsafeContinuation<Bool, Never>)] = []
  }

  init(_ handle: Handle, method: String, openContexts: OpenContexts) {
    self.method = method
    self.deadlineNanoseconds = cgrpc_call_deadline(handle.pointer)
    self.openContexts = openContexts
    self.state = Guarded(State(handle: handle))
    openContexts.count.add(1, ordering: .relaxed)
  }

  deinit {
    openContexts.count.subtract(1, ordering: .relaxed)
  }

  /// When the caller gives up; nil when it waits for ever. At that moment the handler's task is cancelled.
  package var deadline: ContinuousClock.Instant? {
    if deadlineNanoseconds == CGRPC_NO_DEADLINE_VALUE { return nil }
    return .now + .nanoseconds(deadlineNanoseconds.subtractingSaturated(cgrpc_now()))
  }

  /// The first value of `key` (lower case) as text, or nil. Bytes that are no UTF-8 are repaired.
  package func metadata(_ key: String) -> String? {
    withMetadata(key) { String(decoding: $0, as: UTF8.self) }
  }

  /// The first value of `key` as raw bytes: for keys that end in `-bin`.
  package func binaryMetadata(_ key: String) -> [UInt8]? {
    withMetadata(key) { [UInt8]($0) }
  }

  private func withMetadata<T: Sendable>(_ key: String, _ read: (UnsafeRawBufferPointer) -> T) -> T? {
    state.withLock { state in
      guard let handle = state.handle else { return nil }
      var index = 0
      var name = cgrpc_view()
      var value = cgrpc_view()
      while cgrpc_call_metadata(handle.pointer, index, &name, &value) {
        let nameBytes = UnsafeRawBufferPointer(start: name.bytes, count: name.length)
        if nameBytes.elementsEqual(key.utf8) {
          return read(UnsafeRawBufferPointer(start: value.bytes, count: value.length))
        }
        index += 1
      }
      return nil
    }
  }
}

// MARK: - What the route does with the call

extension CallContext {
  /// The request. To be called before the call is finished, by one task.
  func request<Request>(_ codec: Codec<Request>) throws(Status) -> Request {
    guard let handle = state.withLock({ $0.handle }) else { throw Status(.cancelled, "the call is gone") }
    return try codec.message(in: cgrpc_call_request(handle.pointer), malformed: .invalidArgument, "request")
  }

  /// Ends the call with its only or last message.
  func finish<Response>(_ response: Response, _ codec: Codec<Response>) throws(Status) {
    let message = try codec.outgoing(response)
    let finished = finish { call in
      withUnsafePointer(to: message.buffer) { cgrpc_call_finish(call, StatusCode.ok.rawValue, nil, 0, $0) }
    }
    if !finished { message.discard() }
  }

  func finish(_ status: Status) {
    var message = status.message
    message.withUTF8 { text in
      text.withMemoryRebound(to: CChar.self) { text in
        _ = finish { cgrpc_call_finish($0, status.code.rawValue, text.baseAddress, text.count, nil) }
      }
    }
  }

  /// Runs `end` on the call, once; false when the call is finished already. Under the lock, since sends and the finish must not run at the same time.
  private func finish(_ end: (OpaquePointer) -> Void) -> Bool {
    let left = state.withLock { state -> [UnsafeContinuation<Bool, Never>]? in
      guard let handle = state.handle, !state.isFinished else { return nil }
      state.isFinished = true
      let left = state.waiting
      state.waiting = []
      for writer in left { writer.message.discard() }
      end(handle.pointer)
      return left.map(\.continuation)
    }
    guard let left else { return false }
    for writer in left { writer.resume(returning: false) }
    return true
  }

  /// Sends one message of a stream. Returns when the transport took it, which is how a slow reader slows the writer
  /// down. Throws CANCELLED when the call is gone. Several tasks may write; their messages go out one after another.
  func send<Message>(_ message: Message, _ codec: Codec<Message>) async throws(Status) {
    let outgoing = try codec.outgoing(message)
    let sent = await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
      let refused = state.withLock { state in
        guard let handle = state.handle, !state.isFinished else { return true }
        if state.sending == nil {
          state.sending = continuation
          cgrpc_call_send(handle.pointer, outgoing.buffer)
        } else {
          state.waiting.append((outgoing, continuation))
        }
        return false
      }
      if refused {
        outgoing.discard()
        continuation.resume(returning: false)
      }
    }
    if !sent { throw Status(.cancelled, "the call is gone") }
  }
}

// MARK: - What the poller tells

extension CallContext {
  /// Starts the handler: right here until it first suspends, or on the pool.
  func run(_ dispatch: Route.Dispatch, pool: any TaskExecutor, _ handler: @escaping @Sendable () async -> Void) {
    let task =
      switch dispatch {
      case .inline: Task.immediate(operation: handler)
      case .pool: Task(executorPreference: pool, operation: handler)
      }
    // In time: cancellations are reported on this very thread, later.
    state.withLock { $0.task = task }
  }

  func cancel() {
    state.withLock { $0.task }?.cancel()
  }

  func sent(_ ok: Bool) {
    let writer = state.withLock { state in
      let writer = state.sending
      state.sending = nil
      if let handle = state.handle, !state.isFinished, !state.waiting.isEmpty {
        let next = state.waiting.removeFirst()
        state.sending = next.continuation
        cgrpc_call_send(handle.pointer, next.message.buffer)
      }
      return writer
    }
    writer?.resume(returning: ok)
  }

  func closed() {
    state.withLock { state in
      state.handle = nil
      state.task = nil
    }
  }
}

/// How many contexts of one server are alive: zero when no call is under way and nothing leaked.
final class OpenContexts: Sendable {
  let count = Atomic<Int>(0)
}

/// `CGRPC_NO_DEADLINE`, which is a macro that Swift does not see.
let CGRPC_NO_DEADLINE_VALUE = Int64.max

extension Int64 {
  /// `self - other`, at the ends of the range instead of a trap.
  func subtractingSaturated(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other > 0 ? .min : .max) : difference
  }
}
