/// One method of the server: its path and how a call of it is answered.
package struct Route: Sendable {
  /// Where a handler runs.
  package enum Dispatch: Sendable {
    /// On the poller's thread until the handler first suspends: fastest, and only for handlers that never block.
    case inline
    /// On the server's pool, where handlers may block.
    case pool
  }

  /// The full path, such as `/csi.v1.Identity/Probe`.
  package let path: String
  let dispatch: Dispatch
  /// Decodes the request, calls the handler, finishes the call.
  let answer: @Sendable (CallContext) async -> Void

  /// A method with one request and one response. What the handler throws becomes the call's status
  /// (`Status.init(of:)`).
  package static func unary<Request: Sendable, Response: Sendable>(
    _ path: String, _ request: Codec<Request>, _ response: Codec<Response>, dispatch: Dispatch = .pool,
    handler: @escaping @Sendable (Request, CallContext) async throws -> Response
  ) -> Route {
    Route(path: path, dispatch: dispatch) { context in
      do {
        try context.finish(try await handler(try context.request(request), context), response)
      } catch {
        context.finish(Status(of: error))
      }
    }
  }

  /// A method with one request and a stream of responses, which ends when the handler returns.
  package static func serverStream<Request: Sendable, Response: Sendable>(
    _ path: String, _ request: Codec<Request>, _ response: Codec<Response>, dispatch: Dispatch = .pool,
    handler: @escaping @Sendable (Request, ResponseWriter<Response>, CallContext) async throws -> Void
  ) -> Route {
    Route(path: path, dispatch: dispatch) { context in
      do {
        let writer = ResponseWriter(context: context, codec: response)
        try await handler(try context.request(request), writer, context)
        context.finish(Status(.ok, ""))
      } catch {
        context.finish(Status(of: error))
      }
    }
  }
}

/// Where a streaming handler writes its responses.
package struct ResponseWriter<Response: Sendable>: Sendable {
  let context: CallContext
  let codec: Codec<Response>

  /// Sends `message`. Suspends while the reader is slow; throws a CANCELLED `Status` once the call is gone.
  package func write(_ message: Response) async throws {
    try await context.send(message, codec)
  }
}
