/// Why a server cannot listen, in words for the person who configured it.
package struct EndpointError: Error, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// A Unix socket's path, as `CSI_ENDPOINT` names it.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// The most bytes a path may have: `sun_path` of unix(7) holds 108, the last of them a NUL.
  package static let longestPath = 107

  package let path: String

  /// Accepts `unix:///path`, `unix:/path`, `unix:relative` and a bare path; throws `EndpointError` for anything else.
  /// The path is taken literally: percent signs mean themselves.
  package init(parsing text: String) throws {
    path = try Self.path(in: text)
    guard !path.isEmpty else { throw EndpointError("the endpoint \"\(text)\" names no path") }
    guard !path.utf8.contains(0) else { throw EndpointError("the endpoint's path contains a NUL byte") }
    guard !path.hasSuffix("/") else { throw EndpointError("the endpoint \"\(text)\" names a directory, not a socket") }
    guard path.utf8.count <= Self.longestPath else {
      throw EndpointError(
        "the socket path \(path) has \(path.utf8.count) bytes; a Unix socket's path may have at most "
          + "\(Self.longestPath)")
    }
  }

  private static func path(in text: String) throws -> String {
    if text.hasPrefix("unix://") {
      let path = String(text.dropFirst("unix://".count))
      guard path.isEmpty || path.hasPrefix("/") else {
        throw EndpointError("the endpoint \"\(text)\" must have an absolute path after unix://")
      }
      return path
    }
    if text.hasPrefix("unix:") { return String(text.dropFirst("unix:".count)) }
    if let scheme = text.firstRange(of: "://") {
      throw EndpointError("the endpoint \"\(text)\" is not a Unix socket: \(text[..<scheme.lowerBound]) is not served")
    }
    return text
  }

  package var description: String { "unix:\(path)" }

  /// The address as gRPC core wants it: it takes a URI and decodes percent signs.
  var address: String {
    var result = "unix:"
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += digits.count == 1 ? "%0" + digits : "%" + digits
      }
    }
    return result
  }
}
