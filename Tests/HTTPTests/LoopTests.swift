import Glibc
import Testing

@testable import HTTP

/// Many requests, waiting, giving up, and the thread behind it all.
@Suite struct LoopTests {
  @Test func `a connection is used again`() async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let client = transport()
    for number in 0..<20 { #expect(try await client.send(.get, "\(server.url)/\(number)").text == "GET /\(number)") }
    #expect(server.seen.connections == 1)
  }

  @Test(arguments: [(4, 64, 4), (64, 3, 3)])
  func `a hundred requests at one time keep to the limits`(perOrigin: Int, total: Int, most: Int) async throws {
    let server = try TestServer { connection in
      while let request = connection.request() {
        connection.server.note { counts in
          counts.busy += 1
          counts.mostBusy = max(counts.mostBusy, counts.busy)
        }
        usleep(2000)
        connection.server.note { $0.busy -= 1 }
        connection.answer(request.line)
      }
    }
    defer { server.stop() }
    let client = transport(limits: .init(perOrigin: perOrigin, total: total))
    let url = server.url
    let answers = try await withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<100 { group.addTask { try await client.send(.get, "\(url)/\(number)").text } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(answers == Set((0..<100).map { "GET /\($0)" }))
    #expect(server.seen.mostBusy == most)
    #expect(server.seen.connections == most)
  }

  @Test func `a busy origin holds up no other`() async throws {
    let silent = try TestServer { $0.awaitEnd() }
    let other = try TestServer.echo()
    defer {
      silent.stop()
      other.stop()
    }
    let client = transport(limits: .init(perOrigin: 1))
    let stuck = (0..<3).map { _ in Task { try await client.send(.get, silent.url) } }
    #expect(await eventually { silent.seen.connections == 1 })
    #expect(try await client.send(.get, "\(other.url)/x").text == "GET /x")
    for task in stuck { task.cancel() }
    for task in stuck { await #expect(throws: CancellationError.self) { try await task.value } }
  }

  @Test func `a cancelled task ends its transfer and its connection`() async throws {
    let server = try TestServer { connection in
      while let request = connection.request() {
        if request.line == "GET /never" { return connection.awaitEnd() }
        connection.answer(request.line)
      }
    }
    defer { server.stop() }
    let client = transport(limits: .init(perOrigin: 1))
    let url = server.url
    let sent = Task { try await client.send(.get, "\(url)/never") }
    #expect(await eventually { server.seen.requests.count == 1 })
    let queued = Task { try await client.send(.get, "\(url)/queued") }
    let next = Task { try await client.send(.get, "\(url)/next").text }
    queued.cancel()
    await #expect(throws: CancellationError.self) { try await queued.value }
    sent.cancel()
    await #expect(throws: CancellationError.self) { try await sent.value }
    #expect(await eventually { server.seen.ended >= 1 })
    #expect(try await next.value == "GET /next")
    let early = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await client.send(.get, "\(url)/early")
    }
    await #expect(throws: CancellationError.self) { try await early.value }
    #expect(server.seen.requests.map(\.line) == ["GET /never", "GET /next"])
  }

  @Test func `a thousand cancellations at any moment lose no request`() async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let client = transport(limits: .init(perOrigin: 8))
    let url = server.url
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<1000 {
        group.addTask {
          let task = Task { try await client.send(.get, "\(url)/\(number)").text }
          for _ in 0..<number % 40 { await Task.yield() }
          if number % 2 == 0 { task.cancel() }
          do {
            #expect(try await task.value == "GET /\(number)")
          } catch {
            #expect(error is CancellationError && number % 2 == 0)
          }
        }
      }
    }
    #expect(try await client.send(.get, "\(url)/last").text == "GET /last")
  }

  @Test func `the deadline counts while connecting`() async throws {
    // A queue of one that is full: the kernel drops what else wants to connect.
    let (listener, port) = try Loopback.listener(backlog: 0)
    let first = try #require(Loopback.connection(to: port))
    defer {
      close(listener)
      close(first)
    }
    let error = await transport().failure(.post, "http://127.0.0.1:\(port)/", body: "x", within: .milliseconds(200))
    #expect(error == .timedOut(sent: false))
  }

  @Test func `the deadline counts in the TLS handshake`() async throws {
    let server = try TestServer { $0.awaitEnd() }
    defer { server.stop() }
    let url = "https://127.0.0.1:\(server.port)/"
    #expect(await transport().failure(.post, url, body: "x", within: .milliseconds(300)) == .timedOut(sent: false))
  }

  @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
  func `the deadline counts while waiting and reading`(part: String) async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.send(part)
      connection.awaitEnd()
    }
    defer { server.stop() }
    let client = transport()
    let error = await client.failure(.post, "\(server.url)/", body: "x", within: .seconds(2))
    #expect(error == .timedOut(sent: true))
    #expect(await eventually { server.seen.ended == 1 })
  }

  @Test func `the deadline counts while others are served`() async throws {
    let server = try TestServer { $0.awaitEnd() }
    defer { server.stop() }
    let client = transport(limits: .init(perOrigin: 1))
    let url = server.url
    let first = Task { try await client.send(.get, url) }
    #expect(await eventually { server.seen.connections == 1 })
    #expect(await client.failure(.post, url, body: "x", within: .milliseconds(100)) == .timedOut(sent: false))
    #expect(await client.failure(.post, url, body: "x", within: .seconds(-1)) == .timedOut(sent: false))
    first.cancel()
  }

  @Test func `closing ends what is under way, the connections and the thread`() async throws {
    let server = try TestServer { connection in
      while let request = connection.request(), request.line == "GET /" { connection.answer(request.line) }
      connection.awaitEnd()
    }
    defer { server.stop() }
    let loop = TransferLoop(limits: .init(perOrigin: 2))
    let make = { CurlTransport(tls: TLSOptions(), proxies: HTTPProxies(), userAgent: "a", loop: loop) }
    let (client, other) = (make(), make())
    #expect(!loop.isRunning)
    _ = try await client.send(.get, "\(server.url)/")
    _ = try await other.send(.get, "\(server.url)/")
    #expect(server.seen.connections == 1)
    let url = server.url
    let sent = Task { await client.failure(.get, "\(url)/never") }
    #expect(await eventually { server.seen.requests.count == 3 })
    client.close()
    #expect(await sent.value?.kind == "cut")
    #expect(await client.failure(.get, server.url)?.kind == "unreachable")
    #expect(loop.isRunning)
    _ = try await other.send(.get, "\(server.url)/")
    other.close()
    #expect(await eventually { !loop.isRunning && server.seen.ended == server.seen.connections })
  }

  @Test func `a transport that is let go is closed`() async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let loop = TransferLoop()
    _ = try await CurlTransport(tls: .init(), proxies: .init(), userAgent: "a", loop: loop).send(.get, server.url)
    #expect(await eventually { !loop.isRunning && server.seen.ended == 1 })
  }

  @Test func `an idle thread ends and comes back`() async throws {
    let server = try TestServer.echo()
    defer { server.stop() }
    let loop = TransferLoop(limits: .init(idle: .milliseconds(20)))
    let client = CurlTransport(tls: TLSOptions(), proxies: HTTPProxies(), userAgent: "a", loop: loop)
    for number in 1...5 {
      #expect(try await client.send(.get, "\(server.url)/").text == "GET /")
      #expect(await eventually { !loop.isRunning && server.seen.ended == number })
    }
    #expect(server.seen.connections == 5)
  }

  @Test func `programs that are started inherit no connection`() async throws {
    let server = try TestServer { connection in
      guard connection.request() != nil else { return }
      connection.awaitEnd()
    }
    defer { server.stop() }
    let client = transport()
    let url = server.url
    let task = Task { try await client.send(.get, url) }
    #expect(await eventually { server.seen.requests.count == 1 })
    let ours = (3..<1024).filter { descriptor in
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(Int32(descriptor), $0, &length) }
      }
      return result == 0 && address.sin_family == sa_family_t(AF_INET)
        && Int(UInt16(bigEndian: address.sin_port)) == server.port
    }
    #expect(ours.count == 1)
    for descriptor in ours { #expect(fcntl(Int32(descriptor), F_GETFD) == FD_CLOEXEC) }
    task.cancel()
  }
}
