import CGRPC

/// What can be chosen about a client.
package struct ClientOptions: Sendable {
  /// The longest response accepted, in bytes; a longer one ends the call with RESOURCE_EXHAUSTED.
  package var maxMessageBytes: Int32 = 4 << 20
  /// Whether calls wait for a server to appear, until their deadline, instead of failing with UNAVAILABLE at once.
  package var waitsForServer = false

  package init() {}

  /// The settings of gRPC core, by its names.
  var arguments: [(key: String, value: Int32)] {
    [
      ("grpc.max_receive_message_length", maxMessageBytes),
      // A request is made once: whether to repeat it is for the caller to say.
      ("grpc.enable_retries", 0),
      ("grpc.enable_http_proxy", 0),
      // A connection of our own, so that a new client never inherits the waiting time of another one's failure.
      ("grpc.use_local_subchannel_pool", 1),
      ("grpc.initial_reconnect_backoff_ms", 100),
      ("grpc.min_reconnect_backoff_ms", 1000),
      ("grpc.max_reconnect_backoff_ms", 1000),
    ]
  }
}

/// A client of one Unix socket. It connects with the first call, and again when the connection was lost. The calls of
/// all clients share one thread.
package final class Client: Sendable {
  private let endpoint: Endpoint
  private let options: ClientOptions
  private let state: Guarded<Channel?>

  /// May cross threads: used under `state`'s lock only.
  private struct Channel: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  package init(endpoint: Endpoint, options: ClientOptions = .init()) {
    self.endpoint = endpoint
    self.options = options
    self.state = Guarded(Self.channel(endpoint, options))
  }

  deinit { close() }

  /// Calls that begin later fail with UNAVAILABLE; those under way go on. Safe to call twice.
  package func close() {
    state.withLock { channel in
      if let channel { cgrpc_client_destroy(channel.pointer) }
      channel = nil
    }
  }

  /// Makes a call with one request and one response. `timeout` nil waits for ever. Metadata values are text; for raw
  /// bytes under a key that ends in `-bin` there is `binaryMetadata`. Throws `Status`; cancelling the task cancels the
  /// call, which then throws CANCELLED.
  package func unary<Request, Response>(
    _ path: String, _ requestCodec: Codec<Request>, _ responseCodec: Codec<Response>, _ request: Request,
    timeout: Duration? = nil, metadata: [(String, String)] = [], binaryMetadata: [(String, [UInt8])] = []
  ) async throws -> Response {
    let message = try requestCodec.outgoing(request)
    let call = try begin(path, timeout, metadata, binaryMetadata, orDiscard: message)
    await call.unary(message)
    try call.status.check()
    return try responseCodec.message(in: call.response, malformed: .internal, "response")
  }

  /// Makes a call with one request and a stream of responses, which are fetched as fast as they are read. Errors,
  /// including those of the start, come from the stream.
  package func serverStream<Request, Response>(
    _ path: String, _ requestCodec: Codec<Request>, _ responseCodec: Codec<Response>, _ request: Request,
    timeout: Duration? = nil, metadata: [(String, String)] = [], binaryMetadata: [(String, [UInt8])] = []
  ) -> ResponseStream<Response> {
    do {
      let message = try requestCodec.outgoing(request)
      let call = try begin(path, timeout, metadata, binaryMetadata, orDiscard: message)
      call.stream(message)
      return ResponseStream(call: call, codec: responseCodec)
    } catch {
      return ResponseStream(failed: error, codec: responseCodec)
    }
  }

  /// A call that is ready to be started.
  private func begin(
    _ path: String, _ timeout: Duration?, _ metadata: [(String, String)], _ binaryMetadata: [(String, [UInt8])],
    orDiscard message: OutgoingMessage
  ) throws(Status) -> ClientCall {
    do throws(Status) {
      if let timeout, timeout <= .zero { throw Status(.deadlineExceeded, "the call was given no time") }
      let call = ClientCall(try newCall(path, deadline: Self.deadline(after: timeout)))
      for (key, value) in metadata { try call.addMetadata(key, Array(value.utf8)) }
      for (key, value) in binaryMetadata { try call.addMetadata(key, value) }
      return call
    } catch {
      message.discard()
      throw error
    }
  }

  private func newCall(_ path: String, deadline: Int64) throws(Status) -> ClientCall.Handle {
    let handle = state.withLock { channel -> ClientCall.Handle? in
      guard let current = channel else { return nil }
      var pointer = current.pointer
      // On a local socket an attempt to connect costs nothing and its failure is known at once: rather than fail this
      // call for the failure of an earlier one, try anew.
      if !options.waitsForServer, cgrpc_client_is_backing_off(pointer) {
        cgrpc_client_destroy(pointer)
        let fresh = Self.channel(endpoint, options)
        channel = fresh
        pointer = fresh.pointer
      }
      return ClientCall.Handle(pointer: cgrpc_client_call_create(pointer, path, deadline, options.waitsForServer))
    }
    guard let handle else { throw Status(.unavailable, "the client is closed") }
    return handle
  }

  private static func channel(_ endpoint: Endpoint, _ options: ClientOptions) -> Channel {
    withArguments(options.arguments) { arguments in
      Channel(pointer: cgrpc_client_create(endpoint.address, arguments.baseAddress, arguments.count))
    }
  }

  /// The deadline for a `timeout` above zero.
  private static func deadline(after timeout: Duration?) -> Int64 {
    guard let timeout else { return CGRPC_NO_DEADLINE_VALUE }
    let (seconds, attoseconds) = timeout.components
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return CGRPC_NO_DEADLINE_VALUE }
    let (deadline, late) = cgrpc_now().addingReportingOverflow(nanoseconds)
    return late ? CGRPC_NO_DEADLINE_VALUE : deadline + attoseconds / 1_000_000_000
  }
}

extension Status {
  /// Throws the status unless it is OK.
  func check() throws(Status) {
    if code != .ok { throw self }
  }
}
