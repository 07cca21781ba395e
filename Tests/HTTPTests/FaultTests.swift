import Glibc
import Testing

@testable import HTTP

/// Servers and networks that do what they should not.
@Suite struct FaultTests {
  @Test func `a port that nobody listens on is unreachable`() async throws {
    let (descriptor, port) = try Loopback.listener()
    close(descriptor)
    let error = await transport().failure(.post, "http://127.0.0.1:\(port)/", body: "x")
    #expect(error?.kind == "unreachable")
    #expect(error.map { "\($0)".contains("127.0.0.1:\(port)") } == true)
  }

  @Test(arguments: [
    "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhal",
  ])
  func `an answer that ends before its end is cut`(part: String) async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.send(part)
    }
    defer { server.stop() }
    #expect(await transport().failure(.post, "\(server.url)/", body: "x")?.kind == "cut")
    #expect(server.seen.requests.count == 1)
  }

  @Test func `a connection that is reset while the request is sent is cut`() async throws {
    let server = try TestServer { connection in
      _ = connection.read(1000)
      connection.reset()
    }
    defer { server.stop() }
    let body = String(repeating: "x", count: 16 << 20)
    #expect(await transport().failure(.post, "\(server.url)/", body: body)?.kind == "cut")
  }

  @Test(arguments: [
    "garbage\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\u{0}c\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
  ])
  func `what is not HTTP is a bad answer`(bytes: String) async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.send(bytes)
    }
    defer { server.stop() }
    #expect(await transport().failure(.get, "\(server.url)/")?.kind == "badAnswer")
  }

  @Test(arguments: ["Content-Length: 1001", "Connection: close", "Transfer-Encoding: chunked"])
  func `an answer longer than allowed is given up`(framing: String) async throws {
    let isChunked = framing.contains("chunked")
    let server = try TestServer { connection in
      guard let request = connection.request() else { return }
      let count = request.line == "GET /fits" ? 1000 : 1001
      let text = String(repeating: "x", count: count)
      let length = framing.hasPrefix("Content") ? "Content-Length: \(count)" : framing
      connection.send("HTTP/1.1 200 OK\r\n\(length)\r\n\r\n")
      connection.send(isChunked ? "\(String(count, radix: 16))\r\n\(text)\r\n0\r\n\r\n" : text)
    }
    defer { server.stop() }
    let client = transport()
    #expect(await client.failure(.get, "\(server.url)/", responseLimit: 1000)?.kind == "badAnswer")
    #expect(try await client.send(.get, "\(server.url)/fits", responseLimit: 1000).body.count == 1000)
  }

  @Test func `an endless answer is ended at the limit`() async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\n\r\n")
      // Forty megabytes if nobody stops it; the connection breaks after one.
      for _ in 0..<40 { connection.send([UInt8](repeating: 120, count: 1 << 20)) }
    }
    defer { server.stop() }
    #expect(await transport().failure(.get, "\(server.url)/", responseLimit: 1 << 20)?.kind == "badAnswer")
    #expect(await eventually { server.seen.ended == 1 })
  }

  @Test func `a compressed answer counts by what it unpacks to`() async throws {
    let scratch = try Scratch()
    defer { scratch.remove() }
    try run("sh", "-c", "head -c 10000000 /dev/zero | gzip > '\(scratch["zeros"])'")
    let packed = try scratch.read("zeros")
    #expect(packed.count < 20_000)
    let server = try TestServer { connection in
      while connection.request() != nil {
        connection.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n")
        connection.send(packed)
      }
    }
    defer { server.stop() }
    let client = transport()
    #expect(await client.failure(.get, "\(server.url)/", responseLimit: 9_999_999)?.kind == "badAnswer")
    #expect(try await client.send(.get, "\(server.url)/", responseLimit: 10_000_000).body.count == 10_000_000)
  }

  @Test(arguments: [true, false])
  func `headers without end are given up`(interim: Bool) async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      if !interim { connection.send("HTTP/1.1 200 OK\r\n") }
      let line = "X-Filler: \(String(repeating: "x", count: 1000))\r\n"
      for _ in 0..<2000 { connection.send(interim ? "HTTP/1.1 103 Early Hints\r\n\(line)\r\n" : line) }
    }
    defer { server.stop() }
    #expect(await transport().failure(.get, "\(server.url)/")?.kind == "badAnswer")
  }

  @Test func `a request on a connection that dies is repeated only where that is safe`() async throws {
    // Every connection answers once and dies with the second request, without a byte.
    let server = try TestServer { connection in
      guard let first = connection.request() else { return }
      connection.answer(first.line)
      _ = connection.request()
    }
    defer { server.stop() }
    let client = transport()
    #expect(try await client.send(.get, "\(server.url)/1").text == "GET /1")
    #expect(try await client.send(.get, "\(server.url)/2").text == "GET /2")
    #expect(server.seen.requests.map(\.line) == ["GET /1", "GET /2", "GET /2"])
    #expect(await client.failure(.post, "\(server.url)/3", body: "x")?.kind == "cut")
    #expect(server.seen.requests.map(\.line) == ["GET /1", "GET /2", "GET /2", "POST /3"])
    #expect(try await client.send(.post, "\(server.url)/4", body: "x").text == "POST /4")
  }

  @Test func `a connection that the server has closed is not used again`() async throws {
    let server = try TestServer { connection in
      guard let request = connection.request() else { return }
      connection.answer(request.line)
    }
    defer { server.stop() }
    let client = transport()
    for number in 1...5 {
      #expect(try await client.send(.post, "\(server.url)/", body: "x").status == 200)
      #expect(await eventually { server.seen.ended == number })
    }
    #expect(server.seen.requests.count == 5)
  }

  @Test func `errors tell only words`() throws {
    let origin = try HTTPOrigin(of: HTTPRequest(.get, "https://host/path?token=secret"))
    let error = HTTPError(.init(rawValue: 56), sent: true, origin: origin, text: "a\u{1b}[2J\r\nb")
    #expect("\(error)" == "https://host: a [2J  b")
  }
}
