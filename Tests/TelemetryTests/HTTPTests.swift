import Dispatch
import Glibc
import Testing

@testable import Telemetry

@Suite struct `HTTP requests` {
  private func parse(_ text: String) -> HTTPRequest.Parsed { HTTPRequest.parse(Array(text.utf8)) }

  @Test func `GET and HEAD are read, queries are cut off`() {
    #expect(parse("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n") == .request(.init(method: .get, path: "/metrics")))
    #expect(parse("HEAD / HTTP/1.0\n\n") == .request(.init(method: .head, path: "/")))
  }

  @Test(arguments: ["", "GET", "GET /metrics HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"])
  func `an unfinished request waits for the rest`(text: String) {
    #expect(parse(text) == .incomplete)
  }

  @Test(arguments: [
    "\u{16}\u{3}\u{1}", "get / ", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n",
    "GET metrics HTTP/1.1\r\n\r\n", "GET /\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "AAAAAAAAAAAAAAAAAAAAAAAAAA",
  ])
  func `what is no request gets 400`(text: String) {
    guard case .refused(let response) = parse(text) else {
      Issue.record("not refused: \(text)")
      return
    }
    #expect(response.status == 400)
  }

  @Test func `other methods get 405 with those allowed`() {
    guard case .refused(let response) = parse("POST /metrics HTTP/1.1\r\n\r\n") else {
      Issue.record("not refused")
      return
    }
    let text = String(decoding: response.bytes(withBody: true), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n") && text.contains("\r\nAllow: GET, HEAD\r\n"))
  }

  @Test func `a header without end gets 431`() {
    let text = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 9000)
    guard case .refused(let response) = parse(text) else {
      Issue.record("not refused")
      return
    }
    #expect(response.status == 431)
  }
}

@Suite struct `HTTP server` {
  /// A server that answers its path, and its port.
  private func start(_ change: (inout HTTPServer.Limits) -> Void = { _ in }) throws -> HTTPServer {
    var limits = HTTPServer.Limits()
    change(&limits)
    return try HTTPServer(address: "127.0.0.1:0", limits: limits) { request in
      request.path == "/never" ? await forever() : HTTPResponse(200, request.path)
    }
  }

  @Test func `one request gets one answer and the connection ends`() async throws {
    let server = try start()
    defer { server.stop() }
    let text = try await exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", port: server.port)
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(text.contains("\r\nContent-Length: 6\r\n") && text.hasSuffix("\r\n\r\n/hello"))
    #expect(try await exchange("HEAD /hello HTTP/1.1\r\n\r\n", port: server.port).hasSuffix("\r\n\r\n"))
  }

  @Test func `garbage gets 400 and harms nobody`() async throws {
    let server = try start()
    defer { server.stop() }
    for seed in 1..<40 {
      var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
      let bytes = (0..<(seed * 97)).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
      }
      _ = try await exchange(bytes, port: server.port)
    }
    #expect(try await exchange("GET /ok HTTP/1.1\r\n\r\n", port: server.port).hasSuffix("/ok"))
  }

  @Test func `clients that never finish their request are sent away and others are served`() async throws {
    let server = try start {
      $0.connections = 4
      $0.clientMilliseconds = 200
    }
    defer { server.stop() }
    let slow = try (0..<16).map { _ in try connect(port: server.port) }
    defer { slow.forEach { close($0) } }
    for descriptor in slow { _ = send(descriptor, "GET /", 5, Int32(MSG_NOSIGNAL)) }
    #expect(try await exchange("GET /ok HTTP/1.1\r\n\r\n", port: server.port).hasSuffix("/ok"))
    #expect(try await receive(slow[0]).hasPrefix("HTTP/1.1 408 "))
  }

  @Test func `a handler that hangs costs others nothing`() async throws {
    let server = try start()
    defer { server.stop() }
    let hung = try connect(port: server.port)
    defer { close(hung) }
    let request = "GET /never HTTP/1.1\r\n\r\n"
    _ = send(hung, request, request.utf8.count, Int32(MSG_NOSIGNAL))
    #expect(try await exchange("GET /ok HTTP/1.1\r\n\r\n", port: server.port).hasSuffix("/ok"))
  }

  @Test func `a handler that hangs costs its client a 503`() async throws {
    let server = try start { $0.handlerMilliseconds = 50 }
    defer { server.stop() }
    #expect(try await exchange("GET /never HTTP/1.1\r\n\r\n", port: server.port).hasPrefix("HTTP/1.1 503 "))
  }

  @Test func `addresses that cannot be served are refused with a reason`() async throws {
    let server = try start()
    defer { server.stop() }
    #expect(throws: HTTPServer.Failure.self) {
      try HTTPServer(address: "127.0.0.1:\(server.port)") { _ in HTTPResponse(200, "") }
    }
    #expect(throws: HTTPServer.Failure.self) {
      try HTTPServer(address: "no.such.host.invalid:1") { _ in HTTPResponse(200, "") }
    }
  }
}

/// Ends with the process: the server must not wait for it.
private func forever() async -> HTTPResponse {
  try? await Task.sleep(for: .seconds(3600))
  return HTTPResponse(200, "too late")
}

private struct SocketError: Error { let code = errno }

private func connect(port: UInt16) throws -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  var limit = timeval(tv_sec: 20, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard result == 0 else { throw SocketError() }
  return descriptor
}

private func exchange(_ text: String, port: UInt16) async throws -> String {
  try await exchange(Array(text.utf8), port: port)
}

private func exchange(_ bytes: [UInt8], port: UInt16) async throws -> String {
  let descriptor = try connect(port: port)
  defer { close(descriptor) }
  _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  return try await receive(descriptor)
}

/// Reads on a thread of its own: the handlers need the threads that tests run on.
private func receive(_ descriptor: Int32) async throws -> String {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Result { try readAll(descriptor) }) }
  }
}

private func readAll(_ descriptor: Int32) throws -> String {
  var all: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count < 0, errno == ECONNRESET { break }
    guard count >= 0 else { throw SocketError() }
    if count == 0 { break }
    all += chunk[..<count]
  }
  return String(decoding: all, as: UTF8.self)
}
