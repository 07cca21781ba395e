import CCurl
import Synchronization

/// One request on its way. All of it belongs to the thread of its `TransferLoop` from when it is given to that, except
/// `isCancelled`.
final class Transfer: @unchecked Sendable {
  /// What is the same for all requests of a transport.
  struct Settings: Sendable {
    var tls: TLSOptions
    var proxies: HTTPProxies
    var userAgent: String
  }

  /// Bytes of all header lines of an answer, those of interim answers included.
  static let headerLimit = 64 << 10

  let request: HTTPRequest
  let origin: HTTPOrigin
  let settings: Settings
  let deadline: ContinuousClock.Instant
  let owner: TransferOwner
  var continuation: CheckedContinuation<HTTPResponse, any Error>?
  let isCancelled = Atomic(false)

  private(set) var easy: UnsafeMutableRawPointer?
  var headerList: UnsafeMutablePointer<curl_slist>?
  private(set) var body: UnsafeMutableRawBufferPointer?
  let words: UnsafeMutablePointer<CChar>

  /// Set before the first byte of the request is sent.
  private(set) var isSent = false
  private var problem: String?
  private var received: [UInt8] = []
  private var headerBytes = 0
  /// The empty line after the headers came.
  private var hasAllHeaders = false

  init(
    _ request: HTTPRequest, origin: HTTPOrigin, settings: Settings, deadline: ContinuousClock.Instant,
    owner: TransferOwner
  ) {
    self.request = request
    self.origin = origin
    self.settings = settings
    self.deadline = deadline
    self.owner = owner
    body = request.body.map { bytes in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
      copy.copyBytes(from: bytes)
      return copy
    }
    words = .allocate(capacity: Int(CURL_ERROR_SIZE))
    words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit {
    release()
    words.deallocate()
  }

  /// Frees what libcurl used. The handle must have left the multi handle.
  private func release() {
    if let easy { ccurl_easy_cleanup(easy) }
    easy = nil
    ccurl_free_wiped(headerList)
    headerList = nil
    if let body {
      ccurl_wipe(body.baseAddress, body.count)
      body.deallocate()
    }
    body = nil
  }

  /// Answers whoever sent the request.
  func finish(_ result: Result<HTTPResponse, any Error>) {
    release()
    continuation?.resume(with: result)
    continuation = nil
  }

  /// Makes the handle.
  func prepare() throws(HTTPError) -> UnsafeMutableRawPointer {
    guard let handle = ccurl_easy_init() else { throw .unreachable("\(origin): no memory") }
    easy = handle
    try configure(handle)
    return handle
  }

  // MARK: What libcurl tells

  /// Whether the request may be sent. libcurl repeats a request when a connection that it used before ends without a
  /// byte; the server may have carried it out all the same, so only what may be done twice is (RFC 9110, 9.2.2).
  func isAboutToSend() -> Bool {
    if isSent, !request.method.isIdempotent {
      problem = "the connection ended without an answer"
      return false
    }
    isSent = true
    return true
  }

  func takeHeader(_ line: UnsafeRawBufferPointer) -> Bool {
    headerBytes += line.count
    if line.starts(with: "HTTP/".utf8) {
      hasAllHeaders = false
    } else if line.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
      hasAllHeaders = true
    }
    guard headerBytes <= Self.headerLimit else {
      problem = "the answer's headers have more than \(Self.headerLimit) bytes"
      return false
    }
    return true
  }

  func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count <= request.responseLimit - received.count else {
      problem = "the answer has more than \(request.responseLimit) bytes"
      return false
    }
    received.append(contentsOf: bytes)
    return true
  }

  /// What becomes of the request when libcurl is done with it.
  func outcome(_ code: CURLcode) -> Result<HTTPResponse, any Error> {
    guard code == CURLE_OK, let easy else {
      return .failure(HTTPError(code, sent: isSent, origin: origin, text: problem ?? failureText))
    }
    let status = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE)
    guard (200...999).contains(status) else {
      return .failure(HTTPError.badAnswer("\(origin): an answer of status \(status)"))
    }
    // libcurl takes the end of the connection for the end of the headers.
    guard hasAllHeaders else {
      return .failure(HTTPError.cut("\(origin): the connection ended within the headers"))
    }
    var headers: [HTTPHeader] = []
    var next = ccurl_next_header(easy, nil)
    while let header = next {
      headers.append(
        HTTPHeader(String(cString: header.pointee.name), Self.trimmed(String(cString: header.pointee.value))))
      next = ccurl_next_header(easy, header)
    }
    return .success(HTTPResponse(status: status, headers: headers, body: received))
  }

  /// Without the white space that is no part of a header's value (RFC 9110, section 5.5). libcurl leaves some, and the
  /// end of the line where there is no value.
  private static func trimmed(_ text: String) -> String {
    let isSpace: (Character) -> Bool = { [" ", "\t", "\r", "\n", "\r\n"].contains($0) }
    guard let last = text.lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(text[...last].drop(while: isSpace))
  }

  private var failureText: String {
    let text = String(cString: words)
    // libcurl quotes what it cannot read, and a proxy's address may hold a password.
    return !proxy.isEmpty && text.contains(proxy) ? "the address of the proxy makes no sense" : text
  }

  var proxy: String { origin.isSecure ? settings.proxies.https : settings.proxies.http }
}

/// The transport that requests belong to.
final class TransferOwner: Sendable {
  let isClosed = Atomic(false)
}

extension HTTPRequest.Method {
  /// RFC 9110, section 9.2.2.
  var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete: true
    case .post, .patch: false
    }
  }
}
