/// Scheme, host and port of a request that may be sent: whoever has one knows that the request passed the checks.
struct HTTPOrigin: Hashable, Sendable, CustomStringConvertible {
  let isSecure: Bool
  /// Host and port, in lower case, as in the address.
  let authority: String

  var description: String { "\(isSecure ? "https" : "http")://\(authority)" }

  private static let longestAddress = 64 << 10
  /// Headers by which a request is framed and routed: they are the transport's.
  private static let reserved: Set<String> = [
    "connection", "content-length", "expect", "host", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
  ]

  /// - Throws: `HTTPError.badAddress` for an address that is not http or https, that carries a user, or has bytes which
  ///   an address cannot have; for headers that would end their line or change how the request is framed.
  init(of request: HTTPRequest) throws(HTTPError) {
    let address = request.url.utf8
    guard address.count <= Self.longestAddress, address.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .badAddress("the address has bytes that no address may have, or too many")
    }
    let scheme = request.url.prefix { $0 != ":" }
    guard ["http", "https"].contains(scheme.lowercased()),
      request.url[scheme.endIndex...].hasPrefix("://")
    else { throw .badAddress("the address does not begin with http:// or https://") }
    let authority = request.url[scheme.endIndex...].dropFirst(3).prefix { !"/?#".contains($0) }
    guard !authority.isEmpty, !authority.hasPrefix(":"), !authority.contains(where: { "@\\\"<>^`{|}%".contains($0) })
    else { throw .badAddress("the address names no host, or more than a host") }
    isSecure = scheme.lowercased() == "https"
    self.authority = authority.lowercased()
    for header in request.headers { try Self.check(header) }
    guard request.method != .head || request.body == nil else { throw .badAddress("a HEAD request has no body") }
  }

  private static func check(_ header: HTTPHeader) throws(HTTPError) {
    guard !header.name.isEmpty, header.name.utf8.allSatisfy(isToken) else {
      throw .badAddress("the name of a header has bytes that it may not have")
    }
    guard !reserved.contains(header.name.lowercased()) else {
      throw .badAddress("the header \(header.name) is not the caller's to set")
    }
    guard header.value.utf8.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else {
      throw .badAddress("the value of the header \(header.name) has bytes that it may not have")
    }
  }

  /// RFC 9110, section 5.6.2.
  private static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
