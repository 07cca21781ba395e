import Testing

@testable import GRPC

@Suite struct ClientTests {
  @Test func `a call where no server is fails with UNAVAILABLE, and works as soon as there is one`() async throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    let client = Client(endpoint: endpoint)
    for _ in 0..<3 {
      let failure = await status { _ = try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) }
      #expect(failure.code == .unavailable)
    }
    var options = ServerOptions()
    options.lockDirectory = directory.path
    for _ in 0..<3 {
      let server = Server(routes: [CallTests.echo], pool: globalConcurrentExecutor, options: options)
      try server.start(on: endpoint)
      #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) == [1])
      await server.shutdown(grace: .seconds(10))
      #expect(await status { _ = try await client.unary("/test.Echo/Echo", .bytes, .bytes, []) }.code == .unavailable)
    }
  }

  @Test func `a client may wait for its server`() async throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    var patient = ClientOptions()
    patient.waitsForServer = true
    let client = Client(endpoint: endpoint, options: patient)
    let call = Task { try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1], timeout: .seconds(60)) }
    let late = await status {
      _ = try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1], timeout: .milliseconds(50))
    }
    #expect(late.code == .deadlineExceeded)
    var options = ServerOptions()
    options.lockDirectory = directory.path
    let server = Server(routes: [CallTests.echo], pool: globalConcurrentExecutor, options: options)
    try server.start(on: endpoint)
    #expect(try await call.value == [1])
    await server.shutdown(grace: .seconds(10))
  }

  @Test func `a closed client fails with UNAVAILABLE, its calls under way go on`() async throws {
    let (entered, gate) = (Counter(), Gate())
    let fixture = try Fixture([
      .unary("/test.Wait/Gate", .bytes, .bytes) { request, _ in
        entered.increment()
        try await gate.wait()
        return request
      }
    ])
    let call = Task { try await fixture.call("/test.Wait/Gate", [5], timeout: nil) }
    #expect(await eventually { entered.value == 1 })
    fixture.client.close()
    fixture.client.close()
    #expect(await status { _ = try await fixture.call("/test.Wait/Gate") }.code == .unavailable)
    #expect(await status { for try await _ in fixture.stream("/test.Wait/Gate") {} }.code == .unavailable)
    gate.open()
    #expect(try await call.value == [5])
    await fixture.finish()
  }

  @Test func `a call is served whatever authority it names`() async throws {
    let fixture = try Fixture([CallTests.echo])
    // kubelet sends localhost, others the path of the socket in one spelling or another.
    for authority in ["localhost", "/csi/csi.sock", "%2Fcsi%2Fcsi.sock", "unix:///csi/csi.sock"] {
      let connection = try RawConnection(fixture.endpoint)
      connection.call("/test.Echo/Echo", message: Array("echoed".utf8), stream: 1, authority: authority)
      #expect(connection.receives("echoed"))
      connection.close()
    }
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `many clients come and go`() async throws {
    let fixture = try Fixture([CallTests.echo])
    for number in 0..<100 {
      let client = Client(endpoint: fixture.endpoint)
      #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [UInt8(number)]) == [UInt8(number)])
      client.close()
    }
    await fixture.finish()
  }
}
