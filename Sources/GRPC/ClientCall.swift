import CGRPC

/// One call of a client. Owns one reference to the C call; every operation under way keeps this object alive.
final class ClientCall: Sendable {
  private let handle: Handle
  private let state = Guarded(State())

  /// May cross threads: cancelling is allowed from any, all else is done by the one task that makes the call, and what
  /// the poller wrote is read only after it resumed that task.
  struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private struct State {
    /// The task that waits for the one operation whose result it needs.
    var waiting: UnsafeContinuation<Void, Never>?
    /// For streams: whether the status came, and the task that waits for it.
    var hasStatus = false
    var waitingForStatus: UnsafeContinuation<Void, Never>?
  }

  init(_ handle: Handle) { self.handle = handle }

  deinit { cgrpc_client_call_release(handle.pointer) }

  /// Before the start only.
  func addMetadata(_ key: String, _ value: [UInt8]) throws(Status) {
    let added = value.withUnsafeBufferPointer {
      cgrpc_client_call_add_metadata(
        handle.pointer, key.lowercased(), cgrpc_view(bytes: $0.baseAddress, length: $0.count))
    }
    if !added { throw Status(.invalidArgument, "the metadata \(key) has characters that no header may have") }
  }

  func cancel() { cgrpc_client_call_cancel(handle.pointer) }

  /// The last message received, if any.
  var response: cgrpc_view { cgrpc_client_call_response(handle.pointer) }

  /// How the call ended; valid after `unary` or `waitForStatus`.
  var status: Status {
    var message = cgrpc_view()
    let code = cgrpc_client_call_status(handle.pointer, &message)
    let text = String(decoding: UnsafeRawBufferPointer(start: message.bytes, count: message.length), as: UTF8.self)
    return Status(StatusCode(rawValue: code) ?? .unknown, text)
  }

  /// Makes the whole of a unary call. Consumes the request.
  func unary(_ request: OutgoingMessage) async {
    await wait { call, done, token in cgrpc_client_call_unary(call, request.buffer, done, token) }
  }

  /// Starts a streaming call. Consumes the request.
  func stream(_ request: OutgoingMessage) {
    cgrpc_client_call_stream(
      handle.pointer, request.buffer, { token in ClientCall.taking(token)?.statusCame() },
      Unmanaged.passRetained(self).toOpaque())
  }

  /// Fetches the next message of a stream into `response`.
  func receive() async {
    await wait { call, done, token in cgrpc_client_call_receive(call, done, token) }
  }

  /// Waits for the end of a streaming call.
  func waitForStatus() async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isThere = state.withLock { state in
        if !state.hasStatus { state.waitingForStatus = continuation }
        return state.hasStatus
      }
      if isThere { continuation.resume() }
    }
  }

  /// Starts an operation and waits for its event. Cancelling the task cancels the call, which brings the event soon.
  private func wait(
    _ start: @Sendable (OpaquePointer, cgrpc_client_callback, UnsafeMutableRawPointer) -> Void
  ) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        state.withLock { $0.waiting = continuation }
        start(handle.pointer, { token in ClientCall.taking(token)?.resume() }, Unmanaged.passRetained(self).toOpaque())
      }
    } onCancel: {
      cancel()
    }
  }

  private func resume() {
    let waiting = state.withLock { state in
      let waiting = state.waiting
      state.waiting = nil
      return waiting
    }
    waiting?.resume()
  }

  private func statusCame() {
    let waiting = state.withLock { state in
      state.hasStatus = true
      return state.waitingForStatus
    }
    waiting?.resume()
  }

  private static func taking(_ token: UnsafeMutableRawPointer?) -> ClientCall? {
    token.map { Unmanaged<ClientCall>.fromOpaque($0).takeRetainedValue() }
  }
}
