import Testing

@testable import HTTP

/// What is sent and what comes back, over plain connections.
@Suite struct ExchangeTests {
  @Test func `a request arrives as it was made, and the answer as the server gave it`() async throws {
    let server = try TestServer { connection in
      while connection.request() != nil {
        connection.answer(
          "the body", status: "404 Not Found", headers: "X-One: a\r\nx-two:  b c \r\nX-One: d\r\nX-None:\r\n")
      }
    }
    defer { server.stop() }
    let answer = try await transport().send(
      .get, "\(server.url)/v3/a%2Fb/../c?limit=1#part",
      headers: [HTTPHeader("X-Auth-Token", "t"), HTTPHeader("X-E", "")])
    #expect(answer.status == 404)
    #expect(answer.text == "the body")
    let own = answer.headers.filter { $0.name.lowercased().hasPrefix("x") }.map { "\($0.name)=\($0.value)" }
    #expect(own == ["X-One=a", "x-two=b c", "X-One=d", "X-None="])
    let request = try #require(server.seen.requests.first)
    #expect(request.head.first == "GET /v3/a%2Fb/../c?limit=1 HTTP/1.1")
    #expect(request.values("X-Auth-Token") == ["t"])
    #expect(request.values("X-E") == [""])
    #expect(request.values("User-Agent") == ["stowage-test"])
    #expect(request.values("Host") == ["127.0.0.1:\(server.port)"])
    #expect(request.values("Expect").isEmpty)
    #expect(request.values("Content-Length").isEmpty)
  }

  @Test(arguments: [
    (HTTPRequest.Method.get, nil, nil), (.post, nil, "0"), (.put, nil, "0"), (.patch, nil, "0"), (.delete, nil, nil),
    (.get, "{}", "2"), (.post, "{}", "2"), (.put, "{}", "2"), (.patch, "{}", "2"), (.delete, "{}", "2"),
    (.post, "", "0"),
  ])
  func `each method goes with and without a body`(method: HTTPRequest.Method, body: String?, length: String?)
    async throws
  {
    let server = try TestServer.echo()
    defer { server.stop() }
    let headers = body == nil ? [] : [HTTPHeader("content-type", "application/json")]
    let answer = try await transport().send(method, "\(server.url)/x", headers: headers, body: body)
    #expect(answer.text == "\(method.rawValue) /x")
    let request = try #require(server.seen.requests.first)
    #expect(request.values("Content-Length") == (length.map { [$0] } ?? []))
    #expect(request.values("Content-Type") == headers.map(\.value))
    #expect(request.values("Expect").isEmpty)
    #expect(request.body == Array((body ?? "").utf8))
  }

  @Test func `a body of megabytes is sent whole`() async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let body = String(repeating: "0123456789abcdef", count: 200_000)
    _ = try await transport().send(.post, "\(server.url)/", body: body)
    #expect(server.seen.requests.first?.body == Array(body.utf8))
  }

  @Test func `HEAD has the headers of a body that does not come`() async throws {
    let server = try TestServer { connection in
      while connection.request() != nil { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n") }
    }
    defer { server.stop() }
    let client = transport()
    for _ in 0..<2 {
      let answer = try await client.send(.head, "\(server.url)/", responseLimit: 10)
      #expect(answer[header: "Content-Length"] == "9000000")
      #expect(answer.body.isEmpty)
    }
    #expect(server.seen.connections == 1)
  }

  @Test func `redirects are answers`() async throws {
    let server = try TestServer { connection in
      while connection.request() != nil { connection.answer("", status: "302 Found", headers: "Location: /other\r\n") }
    }
    defer { server.stop() }
    let answer = try await transport().send(.get, "\(server.url)/one")
    #expect(answer.status == 302)
    #expect(server.seen.requests.map(\.line) == ["GET /one"])
  }

  @Test func `interim answers and trailers are no part of the headers`() async throws {
    let server = try TestServer { connection in
      while connection.request() != nil {
        connection.send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Final: 1\r\n")
        connection.send("Transfer-Encoding: chunked\r\n\r\n4\r\nwhat\r\n0\r\nX-Late: 1\r\n\r\n")
      }
    }
    defer { server.stop() }
    let answer = try await transport().send(.get, "\(server.url)/")
    #expect(answer.status == 200)
    #expect(answer.text == "what")
    #expect(answer[header: "X-Final"] == "1")
    #expect(answer[header: "X-Early"] == nil)
    #expect(answer[header: "X-Late"] == nil)
  }

  @Test func `an answer may come byte by byte`() async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      for byte in "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 3\r\n\r\nyes".utf8 { connection.send([byte]) }
      connection.awaitEnd()
    }
    defer { server.stop() }
    let answer = try await transport().send(.get, "\(server.url)/")
    #expect(answer.text == "yes")
    #expect(answer[header: "x-a"] == "b")
  }

  @Test(arguments: [
    "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1/", "", "http:", "http://", "http:///x", "http://:80/",
    "http://user:password@127.0.0.1/", "http://127.0.0.1/\r\nX-Injected: 1", "http://127.0.0.1/a b",
    "http://127.0.0.1/\u{0}", "http://127.0.0.1\\@other/", "http://127.0.0.1/ü", "http://127.0.0.1:99999/",
  ])
  func `addresses that make no sense are refused`(address: String) async {
    let error = await transport().failure(.get, address)
    #expect(error?.kind == "badAddress")
    #expect(error.map { !"\($0)".contains("password") } == true)
  }

  @Test(arguments: [
    HTTPHeader("X-A", "b\r\nX-Injected: 1"), HTTPHeader("X-A", "b\nc"), HTTPHeader("X-A", "\u{0}"),
    HTTPHeader("X-A: b\r\nX-C", "d"), HTTPHeader("", "a"), HTTPHeader("X A", "b"), HTTPHeader("Content-Length", "5"),
    HTTPHeader("Transfer-Encoding", "chunked"), HTTPHeader("host", "other"),
  ])
  func `headers that would change the request are refused`(header: HTTPHeader) async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let error = await transport().failure(.post, "\(server.url)/", headers: [header], body: "a-secret")
    #expect(error?.kind == "badAddress")
    #expect(server.seen.connections == 0)
  }
}
