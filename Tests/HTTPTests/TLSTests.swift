import Glibc
import Testing

@testable import HTTP

/// Against OpenSSL's and nghttp2's own servers.
@Suite struct TLSTests {
  @Test func `a server with a certificate of the authority is trusted, from a file and from text`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.server()
    defer { server.stop() }
    for tls in [authority.file, TLSOptions(authority: try authority.scratch.text("ca.pem"))] {
      let answer = try await transport(tls: tls).send(.get, "\(server.url)/")
      #expect(answer.status == 200)
      #expect(answer.text.contains("TLSv1.3"))
    }
  }

  @Test func `others are not, and the error says why`() async throws {
    let authority = try TestAuthority()
    let other = try TestAuthority()
    defer {
      authority.remove()
      other.remove()
    }
    let server = try authority.server()
    defer { server.stop() }
    let cases: [(TLSOptions, String, String)] = [
      (TLSOptions(), "127.0.0.1", "certificate"),
      (other.file, "127.0.0.1", "certificate"),
      (authority.file, "localhost", "localhost"),
      (TLSOptions(authorityFile: authority.scratch["none.pem"]), "127.0.0.1", "none.pem"),
      (TLSOptions(authority: "no certificate"), "127.0.0.1", "certificate"),
    ]
    for (tls, host, word) in cases {
      let error = await transport(tls: tls).failure(.post, "https://\(host):\(server.port)/", body: "x")
      #expect(error?.kind == "untrusted", "\(error.map { "\($0)" } ?? "")")
      #expect(error.map { "\($0)".contains(word) } == true, "\(error.map { "\($0)" } ?? "")")
    }
    let anything = transport(tls: TLSOptions(isInsecure: true))
    #expect(try await anything.send(.get, "https://localhost:\(server.port)/").status == 200)
  }

  @Test func `an insecure connection serves no transport that asks for trust`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.server()
    defer { server.stop() }
    let loop = TransferLoop()
    let make = { CurlTransport(tls: $0, proxies: HTTPProxies(), userAgent: "a", loop: loop) }
    let (insecure, secure) = (make(TLSOptions(isInsecure: true)), make(TLSOptions()))
    #expect(try await insecure.send(.get, "\(server.url)/").status == 200)
    #expect(await secure.failure(.get, "\(server.url)/")?.kind == "untrusted")
  }

  @Test func `a certificate that has run out is refused`() async throws {
    let authority = try TestAuthority(days: -1)
    defer { authority.remove() }
    let server = try authority.server()
    defer { server.stop() }
    let error = await transport(tls: authority.file).failure(.get, "\(server.url)/")
    #expect(error?.kind == "untrusted")
    #expect(error.map { "\($0)".contains("expired") } == true)
  }

  @Test func `a server that wants to know us gets our certificate`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.server("-Verify", "1", "-verify_return_error", "-CAfile", authority.scratch["ca.pem"])
    defer { server.stop() }
    var known = authority.file
    known.clientCertificateFile = authority.scratch["client.pem"]
    known.clientKeyFile = authority.scratch["client.key"]
    #expect(try await transport(tls: known).send(.get, "\(server.url)/").status == 200)
    #expect(await transport(tls: authority.file).failure(.post, "\(server.url)/", body: "x")?.kind == "untrusted")
    known.clientKeyFile = authority.scratch["ca.key"]
    #expect(await transport(tls: known).failure(.post, "\(server.url)/", body: "x")?.kind == "untrusted")
  }

  @Test(arguments: [(["-tls1_2"], true), (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false)])
  func `TLS is of version 1.2 at least`(options: [String], isTaken: Bool) async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.server(options)
    defer { server.stop() }
    let client = transport(tls: authority.file)
    if isTaken {
      #expect(try await client.send(.get, "\(server.url)/").status == 200)
    } else {
      #expect(await client.failure(.get, "\(server.url)/")?.kind == "untrusted")
    }
  }

  @Test func `a hundred requests over HTTP/2 share one connection`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.http2()
    let relay = try TestServer { Loopback.relay($0, to: server.port) }
    defer {
      relay.stop()
      server.stop()
    }
    let client = transport(tls: authority.file)
    let url = "https://127.0.0.1:\(relay.port)"
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<100 {
        group.addTask {
          let method: HTTPRequest.Method = number % 2 == 0 ? .get : .post
          let answer = try await client.send(method, "\(url)/file", body: number % 2 == 0 ? nil : "body \(number)")
          #expect(answer.status == 200)
          #expect(answer.text == "what nghttpd serves\n")
          #expect(answer[header: "Server"]?.hasPrefix("nghttpd") == true)
        }
      }
      try await group.waitForAll()
    }
    let head = try await client.send(.head, "\(url)/file")
    #expect(head[header: "Content-Length"] == "20")
    #expect(head.body.isEmpty)
    #expect(relay.seen.connections == 1)
    // The connection breaks; the next request gets another.
    relay.cut()
    #expect(await eventually { relay.seen.ended == 1 })
    #expect(try await client.send(.get, "\(url)/file").status == 200)
    #expect(relay.seen.connections == 2)
  }

  @Test func `limits and deadlines hold over HTTP/2, and leave the connection to others`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    try run("sh", "-c", "head -c 20000000 /dev/zero > '\(authority.scratch["big"])'")
    let server = try authority.http2()
    let relay = try TestServer { Loopback.relay($0, to: server.port) }
    defer {
      relay.stop()
      server.stop()
    }
    let client = transport(tls: authority.file)
    let url = "https://127.0.0.1:\(relay.port)"
    #expect(await client.failure(.get, "\(url)/big", responseLimit: 1 << 20)?.kind == "badAnswer")
    #expect(try await client.send(.get, "\(url)/big", responseLimit: 20_000_000).body.count == 20_000_000)
    #expect(try await client.send(.get, "\(url)/file").text == "what nghttpd serves\n")
    kill(server.process, SIGSTOP)
    #expect(await client.failure(.get, "\(url)/file", within: .seconds(1)) == .timedOut(sent: true))
    let before = relay.seen.relayed
    let body = String(repeating: "x", count: 1000)
    let waiting = Task { await client.failure(.post, "\(url)/file", body: body) }
    #expect(await eventually { relay.seen.relayed > before + body.utf8.count })
    relay.cut()
    #expect(await waiting.value?.kind == "cut")
    kill(server.process, SIGCONT)
    #expect(try await client.send(.get, "\(url)/file").text == "what nghttpd serves\n")
  }

  @Test func `large bodies go both ways at one time over HTTP/2`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    try run("sh", "-c", "head -c 3000000 /dev/zero > '\(authority.scratch["big"])'")
    let server = try authority.http2()
    defer { server.stop() }
    let client = transport(tls: authority.file)
    let body = String(repeating: "x", count: 1_000_000)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<24 {
        group.addTask {
          try await client.send(.post, "\(server.url)/big", body: body, responseLimit: 3_000_000).body.count
        }
      }
      for try await count in group { #expect(count == 3_000_000) }
    }
  }

  @Test func `TLS goes through a proxy's tunnel`() async throws {
    let authority = try TestAuthority()
    defer { authority.remove() }
    let server = try authority.http2()
    let proxy = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
      Loopback.relay(connection, to: server.port)
    }
    defer {
      proxy.stop()
      server.stop()
    }
    let client = transport(
      tls: authority.file, proxies: HTTPProxies(https: "http://user:secret@127.0.0.1:\(proxy.port)"))
    let answer = try await client.send(.get, "\(server.url)/file")
    #expect(answer.text == "what nghttpd serves\n")
    #expect(answer[header: "X-Proxy"] == nil)
    let request = try #require(proxy.seen.requests.first)
    #expect(request.line == "CONNECT 127.0.0.1:\(server.port)")
    #expect(request.values("Proxy-Authorization") == ["Basic dXNlcjpzZWNyZXQ="])
  }
}
