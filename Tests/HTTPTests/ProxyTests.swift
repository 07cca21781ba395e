import Testing

@testable import HTTP

@Suite struct ProxyTests {
  private static func proxies(_ environment: [String: String]) -> HTTPProxies {
    HTTPProxies(environment: { environment[$0] })
  }

  @Test func `the environment is read as libcurl reads it`() {
    let all = Self.proxies(["all_proxy": "a"])
    #expect((all.http, all.https, all.exceptions) == ("a", "a", ""))
    let each = Self.proxies([
      "HTTPS_PROXY": "s", "http_proxy": "h", "ALL_PROXY": "a", "NO_PROXY": "n", "https_proxy": "",
    ])
    #expect((each.http, each.https, each.exceptions) == ("h", "s", "n"))
    #expect(Self.proxies(["HTTP_PROXY": "x"]).http == "")
    #expect(Self.proxies(["https_proxy": "l", "HTTPS_PROXY": "u"]).https == "l")
    var dumped = ""
    dump(Self.proxies(["https_proxy": "http://user:secret@proxy"]), to: &dumped)
    #expect(!dumped.contains("secret"))
  }

  @Test func `requests go through the proxy, but not to the exceptions`() async throws {
    let proxy = try TestServer { connection in
      while let request = connection.request() { connection.answer("proxied \(request.line)") }
    }
    let server = try TestServer.echo()
    defer {
      proxy.stop()
      server.stop()
    }
    let through = transport(proxies: Self.proxies(["http_proxy": proxy.url]))
    #expect(try await through.send(.get, "http://service.invalid/x").text == "proxied GET http://service.invalid/x")
    let past = transport(proxies: Self.proxies(["http_proxy": proxy.url, "no_proxy": "other,127.0.0.0/8"]))
    #expect(try await past.send(.get, "\(server.url)/x").text == "GET /x")
    #expect(proxy.seen.requests.count == 1)
  }

  @Test func `a proxy that refuses makes a service unreachable and sees no headers`() async throws {
    let proxy = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.answer("", status: "403 Forbidden")
    }
    defer { proxy.stop() }
    let client = transport(proxies: Self.proxies(["https_proxy": proxy.url]))
    let headers = [HTTPHeader("X-Auth-Token", "secret")]
    let error = await client.failure(.post, "https://service.invalid/x", headers: headers, body: "x")
    #expect(error?.kind == "unreachable")
    let request = try #require(proxy.seen.requests.first)
    #expect(request.line == "CONNECT service.invalid:443")
    #expect(request.values("X-Auth-Token").isEmpty)
  }

  @Test func `a proxy's password is not told`() async throws {
    let client = transport(proxies: Self.proxies(["http_proxy": "gopher://user:secret@127.0.0.1:99999"]))
    let error = await client.failure(.get, "http://service.invalid/")
    #expect(error?.kind == "unreachable")
    #expect(error.map { !"\($0)".contains("secret") } == true)
  }
}
