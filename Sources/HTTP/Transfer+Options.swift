import CCurl

extension Transfer {
  /// Longest time for finding the host, connecting and the TLS handshake: what lies behind a dead network is named as
  /// such well before a long deadline.
  private static let connectLimit = 15_000  // milliseconds
  /// Files of authorities are read again when they are older, so that new ones count.
  private static let authorityAge = 60  // seconds

  /// Tells libcurl all about the request.
  /// - Throws: `HTTPError.unreachable` for an option that this libcurl lacks or refuses.
  func configure(_ easy: UnsafeMutableRawPointer) throws(HTTPError) {
    try check(ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, words))
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(ccurl_set_pointer(easy, CURLOPT_PRIVATE, context))
    try check(ccurl_set_callbacks(easy, onHeader, onBody, onSend, context))
    try set(easy, CURLOPT_URL, request.url)
    try set(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    try set(easy, CURLOPT_USERAGENT, settings.userAgent)
    try set(easy, CURLOPT_PATH_AS_IS, 1)
    try set(easy, CURLOPT_NOSIGNAL, 1)
    // A name server that does not answer must not hold up the thread when a request is given up.
    try set(easy, CURLOPT_QUICK_EXIT, 1)
    try set(easy, CURLOPT_CONNECTTIMEOUT_MS, Self.connectLimit)
    try set(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
    try set(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    // Requests wait for the first connection to tell whether it takes them all.
    try set(easy, CURLOPT_PIPEWAIT, origin.isSecure ? 1 : 0)
    try set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    // Never those that libcurl finds in the environment itself: they are settled when the transport is made.
    try set(easy, CURLOPT_PROXY, proxy)
    try set(easy, CURLOPT_NOPROXY, settings.proxies.exceptions)
    try configureMethod(easy)
    try configureHeaders(easy)
    if origin.isSecure { try configureTLS(easy) }
  }

  private func configureMethod(_ easy: UnsafeMutableRawPointer) throws(HTTPError) {
    // An empty body is announced where one is expected (RFC 9110, section 8.6).
    let takesBody = [.post, .put, .patch].contains(request.method)
    if body != nil || takesBody {
      try set(easy, CURLOPT_POST, 1)
      try check(ccurl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body?.count ?? 0)))
      // Not copied, hence wiped with the rest; libcurl's own buffers are not.
      if let body {
        try check(ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, body.baseAddress))
      } else {
        try set(easy, CURLOPT_COPYPOSTFIELDS, "")
      }
    } else if request.method == .head {
      try set(easy, CURLOPT_NOBODY, 1)
    }
    if request.method != .head { try set(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue) }
  }

  private func configureHeaders(_ easy: UnsafeMutableRawPointer) throws(HTTPError) {
    // Without a value: libcurl's own header of this name is left out.
    var lines = ["Expect:"]
    if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) { lines.append("Content-Type:") }
    // A semicolon: a header with an empty value.
    for header in request.headers {
      let isEmpty = header.value.allSatisfy { $0 == " " || $0 == "\t" }
      lines.append(isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
    }
    for line in lines {
      guard let longer = ccurl_append(headerList, line) else { throw .unreachable("\(origin): no memory") }
      headerList = longer
    }
    try check(ccurl_set_list(easy, CURLOPT_HTTPHEADER, headerList))
  }

  private func configureTLS(_ easy: UnsafeMutableRawPointer) throws(HTTPError) {
    let tls = settings.tls
    try set(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    try set(easy, CURLOPT_SSL_VERIFYPEER, tls.isInsecure ? 0 : 1)
    try set(easy, CURLOPT_SSL_VERIFYHOST, tls.isInsecure ? 0 : 2)
    try set(easy, CURLOPT_CA_CACHE_TIMEOUT, Self.authorityAge)
    if tls.authority != nil || tls.authorityFile != nil {
      // Else the system's authorities would be trusted besides.
      try check(ccurl_set_string(easy, CURLOPT_CAPATH, nil))
    }
    if let text = tls.authority {
      try check(
        Array(text.utf8).withUnsafeBytes { ccurl_set_blob(easy, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count) })
    } else if let file = tls.authorityFile {
      try set(easy, CURLOPT_CAINFO, file)
    }
    if let file = tls.clientCertificateFile {
      try set(easy, CURLOPT_SSLCERT, file)
      try set(easy, CURLOPT_SSLKEY, tls.clientKeyFile ?? file)
    }
  }

  private func set(_ easy: UnsafeMutableRawPointer, _ option: CURLoption, _ value: String) throws(HTTPError) {
    try check(ccurl_set_string(easy, option, value))
  }

  private func set(_ easy: UnsafeMutableRawPointer, _ option: CURLoption, _ value: Int) throws(HTTPError) {
    try check(ccurl_set_long(easy, option, value))
  }

  private func check(_ code: CURLcode) throws(HTTPError) {
    guard code != CURLE_OK else { return }
    throw HTTPError(code, sent: false, origin: origin, text: "")
  }
}

private let onHeader: ccurl_on_bytes = { bytes, _, length, context in
  guard let context else { return 0 }
  let line = UnsafeRawBufferPointer(start: bytes, count: length)
  return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeHeader(line) ? length : 0
}

private let onBody: ccurl_on_bytes = { bytes, _, length, context in
  guard let context else { return 0 }
  let taken = UnsafeRawBufferPointer(start: bytes, count: length)
  return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeBody(taken) ? length : 0
}

private let onSend: ccurl_on_send = { context, _, _, _, _ in
  guard let context else { return CURL_PREREQFUNC_ABORT }
  let mayGo = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().isAboutToSend()
  return mayGo ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}
