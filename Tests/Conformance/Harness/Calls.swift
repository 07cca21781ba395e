import CSI
import GRPC
import Testing

extension Codec where Message: CSIMessage {
  static func message() -> Codec {
    Codec(decode: { try Message(serialized: $0) }, encode: { try $0.serialize($1) })
  }
}

extension Server {
  @discardableResult
  func call<Q, R>(
    _ method: Method<Q, R>, _ request: Q, timeout: Duration = Patience.seconds(60), through client: Client? = nil
  ) async throws -> R {
    try await (client ?? self.client).unary(method.path, .message(), .message(), request, timeout: timeout)
  }

  /// All responses of a stream.
  func stream<Q, R>(_ method: Method<Q, R>, _ request: Q, timeout: Duration = Patience.seconds(60)) async throws -> [R]
  {
    var responses: [R] = []
    for try await response in try client.serverStream(
      method.path, .message(), .message(), request, timeout: timeout) as ResponseStream<R>
    {
      responses.append(response)
    }
    return responses
  }

  /// The call must end with one of `codes`, and say why in words that fit into a Kubernetes object.
  @discardableResult
  func refuses<Q, R>(
    _ codes: StatusCode..., by method: Method<Q, R>, _ request: Q, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    do {
      if method.isStreaming {
        let responses = try await stream(method, request)
        Issue.record("\(method.name) streamed \(responses.count) responses", sourceLocation: sourceLocation)
      } else {
        let response = try await call(method, request)
        Issue.record("\(method.name) answered \(response)", sourceLocation: sourceLocation)
      }
      return ""
    } catch let status as Status {
      #expect(codes.contains(status.code), "\(method.name): \(status)", sourceLocation: sourceLocation)
      #expect((1...1024).contains(status.message.utf8.count), "\(status)", sourceLocation: sourceLocation)
      return status.message
    }
  }

  /// Repeats a call as a CO does while it is told that something is under way.
  func persist<Q, R>(_ method: Method<Q, R>, _ request: Q) async throws -> R {
    var result: R?
    try await waitUntil("\(method.name) completes") {
      do {
        result = try await call(method, request)
      } catch let status as Status where [.aborted, .unavailable, .deadlineExceeded, .cancelled].contains(status.code) {
        return false
      }
      return true
    }
    return try #require(result)
  }
}
