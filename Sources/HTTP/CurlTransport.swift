/// Sends requests with libcurl: HTTP/2 where the server offers it, connections used again, proxies from the environment.
///
/// All transports of a process share one thread, which comes with the first request, and the connections behind it.
package final class CurlTransport: HTTPTransport {
  private let settings: Transfer.Settings
  private let loop: TransferLoop
  private let owner = TransferOwner()

  /// - Parameters:
  ///   - proxies: as the environment is now.
  ///   - userAgent: for the header of that name.
  package convenience init(
    tls: TLSOptions = TLSOptions(), proxies: HTTPProxies = .environment, userAgent: String = "stowage"
  ) {
    self.init(tls: tls, proxies: proxies, userAgent: userAgent, loop: .shared)
  }

  init(tls: TLSOptions, proxies: HTTPProxies, userAgent: String, loop: TransferLoop) {
    settings = Transfer.Settings(tls: tls, proxies: proxies, userAgent: userAgent)
    self.loop = loop
  }

  deinit { close() }

  /// Ends what is under way: as `.unreachable` what was not sent, as `.cut` the rest. The thread ends with the last
  /// transport that used it. More requests are refused as `.unreachable`.
  package func close() { loop.close(owner) }

  package func send(_ request: HTTPRequest, deadline: ContinuousClock.Instant) async throws -> HTTPResponse {
    let transfer = Transfer(
      request, origin: try HTTPOrigin(of: request), settings: settings, deadline: deadline, owner: owner)
    try Task.checkCancellation()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        transfer.continuation = continuation
        loop.start(transfer)
      }
    } onCancel: {
      loop.cancel(transfer)
    }
  }
}
