import CSI
import GRPC

/// A client of one CSI socket.
package final class CSIClient: Sendable {
  private let client: Client
  private let timeout: Duration?

  /// - Parameter timeout: for each call, sent along as its deadline; nil waits for ever.
  package init(endpoint: Endpoint, timeout: Duration?) {
    client = Client(endpoint: endpoint)
    self.timeout = timeout
  }

  /// Ends the connection; calls under way fail.
  package func close() { client.close() }

  /// - Throws: `Status`.
  package func call<Q, R>(_ method: Method<Q, R>, _ request: Q) async throws -> R {
    try await client.unary(method.path, .csi, .csi, request, timeout: timeout)
  }

  /// Calls `body` for each message of the answer; what it throws cancels the call.
  /// - Throws: `Status`, or what `body` throws.
  package func stream<Q, R>(
    _ method: Method<Q, R>, _ request: Q, _ body: (R) async throws -> Void
  ) async throws {
    try await stream(method.path, request, body)
  }

  /// Makes a call whose types are known at run time only.
  ///
  /// - Parameter body: called with each message of the answer, once for unary calls.
  /// - Throws: `JSONError` when the request does not fit, `Status`, or what `body` throws.
  package func call(_ method: AnyMethod, json: JSON, _ body: (any CSIMessage) async throws -> Void) async throws {
    try await open(method, method.request, method.response, json, body)
  }

  private func open<Q: CSIMessage, R: CSIMessage>(
    _ method: AnyMethod, _: Q.Type, _: R.Type, _ json: JSON, _ body: (any CSIMessage) async throws -> Void
  ) async throws {
    let request = try Q(json: json)
    if method.isStreaming {
      try await stream(method.path, request) { (response: R) in try await body(response) }
    } else {
      let response: R = try await client.unary(method.path, .csi, .csi, request, timeout: timeout)
      try await body(response)
    }
  }

  private func stream<Q: CSIMessage, R: CSIMessage>(
    _ path: String, _ request: Q, _ body: (R) async throws -> Void
  ) async throws {
    for try await response in client.serverStream(path, Codec<Q>.csi, Codec<R>.csi, request, timeout: timeout) {
      try await body(response)
    }
  }
}

extension Codec where Message: CSIMessage {
  static var csi: Codec {
    Codec(
      decode: { try Message(serialized: $0) },
      encode: { message, allocate in try message.serialize(allocate) })
  }
}
