import HTTP
import JSONText

extension OpenStackError {
  /// Reads an answer that is no success.
  /// - Parameter secrets: texts that the message must not hold: services repeat in it what they were sent.
  package init(_ service: ServiceKind?, _ response: HTTPResponse, secrets: [String] = []) {
    var message = Self.message(response.body) ?? ""
    for secret in secrets where secret.utf8.count > 2 { message = message.replacing(secret, with: "***") }
    // A short password could be any word: where one stands in the message, the message goes.
    if secrets.contains(where: { !$0.isEmpty && $0.utf8.count <= 2 && message.contains($0) }) { message = "" }
    message = Self.plain(message)
    if message.isEmpty { message = Self.words[response.status] ?? "the service answered with an error" }
    self.init(
      service, .status(response.status), message, requestID: Self.requestID(response),
      retryAfter: RetryAfter.duration(response))
  }

  static func requestID(_ response: HTTPResponse) -> String? {
    let id =
      response[header: "x-openstack-request-id"] ?? response[header: "x-compute-request-id"]
    guard let id, (1...64).contains(id.utf8.count),
      id.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x2d })
    else { return nil }
    return id
  }

  /// The message of `{"badRequest": {"code": .., "message": ..}}`, `{"error": {..}}`, `{"message": ..}` and
  /// `{"errors": [{"detail": ..}]}`; nil for pages of proxies and for everything else.
  private static func message(_ body: [UInt8]) -> String? {
    guard body.count <= 64 << 10, let json = try? JSON(parsing: body), case .object(let members) = json else {
      return nil
    }
    if let text = json["message"]?.string { return text }
    if let first = json["errors"]?.array?.first { return first["detail"]?.string ?? first["title"]?.string }
    for member in members {
      if let text = member.value["message"]?.string { return text }
    }
    return nil
  }

  /// On one line, without control characters, and short.
  private static func plain(_ text: String) -> String {
    let words = text.split {
      $0.isWhitespace || $0.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
    let line = words.joined(separator: " ")
    return line.utf8.count <= 400 ? line : String(line.prefix(300)) + "…"
  }

  private static let words = [
    400: "the request is not valid", 401: "the credentials or the token are not accepted",
    403: "the user may not do this", 404: "there is no such object or path", 406: "the version is not supported",
    409: "another operation holds the object", 413: "too much was asked for", 429: "too many requests",
    500: "the service failed", 502: "the proxy has no answer of the service", 503: "the service is not available",
    504: "the proxy waited in vain for the service",
  ]
}

/// The header `Retry-After` (RFC 9110, section 10.2.3).
enum RetryAfter {
  /// From now: seconds, or a date, which is compared with the answer's own `Date` since clocks differ. nil when there
  /// is none that makes sense.
  static func duration(_ response: HTTPResponse) -> Duration? {
    guard let text = response[header: "Retry-After"] else { return nil }
    if let seconds = Int(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return .seconds(min(seconds, 86_400))
    }
    guard let then = ServiceTime.seconds(httpDate: text),
      let now = response[header: "Date"].flatMap({ ServiceTime.seconds(httpDate: $0) })
    else { return nil }
    return .seconds(min(max(0, then - now), 86_400))
  }
}
