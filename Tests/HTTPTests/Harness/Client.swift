import Testing

@testable import HTTP

/// A transport with a thread and connections of its own.
func transport(
  tls: TLSOptions = TLSOptions(), proxies: HTTPProxies = HTTPProxies(), limits: TransferLoop.Limits = .init()
) -> CurlTransport {
  CurlTransport(tls: tls, proxies: proxies, userAgent: "stowage-test", loop: TransferLoop(limits: limits))
}

extension CurlTransport {
  func send(
    _ method: HTTPRequest.Method = .get, _ url: String, headers: [HTTPHeader] = [], body: String? = nil,
    responseLimit: Int = 1 << 20, within limit: Duration = .seconds(60)
  ) async throws -> HTTPResponse {
    try await send(
      HTTPRequest(method, url, headers: headers, body: body.map { Array($0.utf8) }, responseLimit: responseLimit),
      deadline: .now + limit)
  }

  /// The error that a request ends with.
  func failure(
    _ method: HTTPRequest.Method = .get, _ url: String, headers: [HTTPHeader] = [], body: String? = nil,
    responseLimit: Int = 1 << 20, within limit: Duration = .seconds(60)
  ) async -> HTTPError? {
    do {
      let response = try await send(
        method, url, headers: headers, body: body, responseLimit: responseLimit, within: limit)
      Issue.record("an answer of status \(response.status)")
      return nil
    } catch {
      if !(error is HTTPError) { Issue.record("\(error)") }
      return error as? HTTPError
    }
  }
}

extension HTTPResponse {
  var text: String { String(decoding: body, as: UTF8.self) }
}

extension HTTPError {
  var kind: String {
    switch self {
    case .badAddress: "badAddress"
    case .unreachable: "unreachable"
    case .untrusted: "untrusted"
    case .cut: "cut"
    case .timedOut(let sent): sent ? "timedOut, sent" : "timedOut, unsent"
    case .badAnswer: "badAnswer"
    }
  }
}
