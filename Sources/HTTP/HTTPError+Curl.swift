import CCurl

extension HTTPError {
  /// What a failed transfer means.
  /// - Parameters:
  ///   - sent: whether any of the request may have reached the other side.
  ///   - text: libcurl's words, in part the other side's.
  init(_ code: CURLcode, sent: Bool, origin: HTTPOrigin, text: String) {
    let words = Self.printable(text.isEmpty ? String(cString: ccurl_error(code)) : text)
    let message = "\(origin): \(words)"
    if Self.isAboutTrust(code, words, sent: sent) {
      self = .untrusted(message)
      return
    }
    guard sent else {
      switch code {
      case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: self = .badAddress(message)
      default: self = .unreachable(message)
      }
      return
    }
    switch code {
    // The first is libcurl's for an answer without a status line, which was HTTP/0.9.
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_WRITE_ERROR, CURLE_BAD_CONTENT_ENCODING,
      CURLE_FILESIZE_EXCEEDED, tooLarge, CURLE_OUT_OF_MEMORY:
      self = .badAnswer(message)
    default: self = .cut(message)
    }
  }

  private static let trust: Set<UInt32> = Set(
    [
      CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
      CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
      CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT,
    ].map(\.rawValue))

  private static func isAboutTrust(_ code: CURLcode, _ words: String, sent: Bool) -> Bool {
    if trust.contains(code.rawValue) { return true }
    // A broken connection has this code too, without an error of OpenSSL's.
    if code == CURLE_SSL_CONNECT_ERROR { return words.contains("error:") }
    // With TLS 1.3 a server refuses a client's certificate when the client has begun to send, and reads none of it.
    return sent && code == CURLE_RECV_ERROR && words.contains("alert") && words.contains("certificate")
  }

  private static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(text.unicodeScalars.prefix(300).map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
  }
}

/// CURLE_TOO_LARGE, which is of libcurl 8.6.
private let tooLarge = CURLcode(rawValue: 100)
