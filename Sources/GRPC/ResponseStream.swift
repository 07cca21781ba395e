/// The responses of a streaming call, fetched one at a time as they are read: a reader that pauses pauses the server.
/// To be read once, by one task. Throws `Status` when the call fails. A stream that is let go cancels its call, and so
/// does cancelling the task that reads.
package struct ResponseStream<Response>: AsyncSequence, Sendable {
  package typealias Element = Response

  private let source: Source
  private let codec: Codec<Response>

  init(call: ClientCall, codec: Codec<Response>) {
    source = Source(.success(call))
    self.codec = codec
  }

  init(failed status: Status, codec: Codec<Response>) {
    source = Source(.failure(status))
    self.codec = codec
  }

  package func makeAsyncIterator() -> Iterator {
    Iterator(source: source, codec: codec)
  }

  package struct Iterator: AsyncIteratorProtocol {
    fileprivate let source: Source
    fileprivate let codec: Codec<Response>

    /// The next response; nil when the call ended with OK.
    package mutating func next() async throws -> Response? {
      let call = try source.claim()
      defer { source.release() }
      guard !source.hasEnded else { return nil }
      await call.receive()
      let view = call.response
      guard view.bytes != nil else {
        source.end()
        await call.waitForStatus()
        try call.status.check()
        return nil
      }
      return try codec.message(in: view, malformed: .internal, "response")
    }
  }
}

/// The call behind a stream, shared by the stream and its iterator.
private final class Source: Sendable {
  private let start: Result<ClientCall, Status>
  private let state = Guarded((isRead: false, hasEnded: false))

  init(_ start: Result<ClientCall, Status>) { self.start = start }

  deinit {
    if case .success(let call) = start { call.cancel() }
  }

  var hasEnded: Bool { state.withLock { $0.hasEnded } }
  func end() { state.withLock { $0.hasEnded = true } }
  func release() { state.withLock { $0.isRead = false } }

  /// The call, for one reader.
  func claim() throws -> ClientCall {
    let call = try start.get()
    let isFree = state.withLock { state in
      defer { state.isRead = true }
      return !state.isRead
    }
    guard isFree else { throw Status(.internal, "two tasks read one response stream") }
    return call
  }
}
