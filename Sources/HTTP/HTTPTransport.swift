/// Sends requests. The one way out of this process to other hosts.
package protocol HTTPTransport: Sendable {
  /// Sends one request and gives the whole answer. Redirects are not followed. A cancelled task ends the transfer.
  /// - Parameter deadline: for all of it, waiting for a free connection included.
  /// - Throws: `HTTPError`; `CancellationError`.
  func send(_ request: HTTPRequest, deadline: ContinuousClock.Instant) async throws -> HTTPResponse
}

/// Why there is no answer. Messages name hosts and files, never credentials.
package enum HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The address or a header makes no sense, or the address is not http or https: nothing was sent.
  case badAddress(String)
  /// The name could not be resolved or no connection made: nothing was sent.
  case unreachable(String)
  /// The other side's certificate, ours or the authority's is not right: nothing was sent.
  case untrusted(String)
  /// The connection ended before the answer was whole: whether the request was carried out is not known.
  case cut(String)
  /// The deadline passed: whether the request was carried out is not known, unless `sent` is false.
  case timedOut(sent: Bool)
  /// The answer is longer than allowed, or is not HTTP.
  case badAnswer(String)

  package var description: String {
    switch self {
    case .badAddress(let m), .unreachable(let m), .untrusted(let m), .cut(let m), .badAnswer(let m): m
    case .timedOut: "the service did not answer in time"
    }
  }

  /// Nothing of the request reached the other side: it may be repeated, whatever it asks for.
  package var isUnsent: Bool {
    switch self {
    case .badAddress, .unreachable, .untrusted, .timedOut(sent: false): true
    case .cut, .timedOut, .badAnswer: false
    }
  }
}

/// How the other side is recognised, and how it recognises us.
package struct TLSOptions: Sendable, Hashable {
  /// A file of certificates of authorities (PEM), which alone are trusted; nil: the system's.
  package var authorityFile: String?
  /// The same as text (PEM), for authorities that come in a secret; counts before the file.
  package var authority: String?
  package var clientCertificateFile: String?
  /// nil: the key is in the certificate's file.
  package var clientKeyFile: String?
  /// Takes any certificate. Whoever sets it must say so, loudly.
  package var isInsecure: Bool

  package init(
    authorityFile: String? = nil, authority: String? = nil, clientCertificateFile: String? = nil,
    clientKeyFile: String? = nil, isInsecure: Bool = false
  ) {
    self.authorityFile = authorityFile
    self.authority = authority
    self.clientCertificateFile = clientCertificateFile
    self.clientKeyFile = clientKeyFile
    self.isInsecure = isInsecure
  }
}
