/// What a client of the operator's endpoint asked for. Bodies and all headers are ignored: nothing here needs them.
package struct HTTPRequest: Hashable, Sendable {
  package enum Method: String, Hashable, Sendable { case get = "GET", head = "HEAD" }

  package var method: Method
  /// Without the query.
  package var path: String

  /// How far the bytes of a connection have come.
  enum Parsed: Hashable {
    case incomplete
    case request(HTTPRequest)
    case refused(HTTPResponse)
  }

  /// The largest request line and headers that are read.
  static let maximumHeaderBytes = 8192

  /// Reads the head of an HTTP/1.x request (RFC 9112). Pure: the same bytes, the same answer.
  static func parse(_ bytes: [UInt8]) -> Parsed {
    guard let end = headEnd(bytes) else {
      return bytes.count >= maximumHeaderBytes ? .refused(.init(431, "the header is too large\n")) : early(bytes)
    }
    let head = bytes[..<end]
    let line = head.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 3, words.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x21...0x7e).contains($0) } }),
      words[2].starts(with: "HTTP/1.".utf8), words[1].first == UInt8(ascii: "/")
    else { return .refused(.init(400, "not an HTTP/1 request\n")) }
    guard let method = Method(rawValue: String(decoding: words[0], as: UTF8.self)) else {
      return .refused(HTTPResponse(405, "only GET and HEAD\n", headers: [("Allow", "GET, HEAD")]))
    }
    let path = words[1].prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    return .request(HTTPRequest(method: method, path: String(decoding: path, as: UTF8.self)))
  }

  /// Garbage is seen before its end: methods are letters.
  private static func early(_ bytes: [UInt8]) -> Parsed {
    let word = bytes.prefix { $0 != UInt8(ascii: " ") }
    let isWord = word.count <= 16 && word.allSatisfy { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 }
    return isWord ? .incomplete : .refused(.init(400, "not an HTTP/1 request\n"))
  }

  /// Where the empty line begins: after CRLF CRLF, or LF LF from people at a terminal.
  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    var lineLength = 0
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "\n"):
        if lineLength == 0, index > 1 { return index }
        lineLength = 0
      case UInt8(ascii: "\r"): break
      default: lineLength += 1
      }
    }
    return nil
  }
}

/// An answer; the connection closes behind it.
package struct HTTPResponse: Hashable, Sendable {
  package var status: Int
  package var contentType: String
  package var body: String
  private var headers: [[String]]

  package init(
    _ status: Int, _ body: String, contentType: String = "text/plain; charset=utf-8", headers: [(String, String)] = []
  ) {
    self.status = status
    self.body = body
    self.contentType = contentType
    self.headers = headers.map { [$0.0, $0.1] }
  }

  /// - Parameter withBody: false for HEAD.
  func bytes(withBody: Bool) -> [UInt8] {
    var head = "HTTP/1.1 \(status) \(Self.reasons[status] ?? "Status")\r\n"
    head += "Content-Type: \(contentType)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n"
    for header in headers { head += "\(header[0]): \(header[1])\r\n" }
    return Array((head + "\r\n" + (withBody ? body : "")).utf8)
  }

  private static let reasons = [
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    431: "Request Header Fields Too Large", 503: "Service Unavailable",
  ]
}
