import Testing

@testable import GRPC

@Suite struct HostileTests {
  @Test func `garbage on the socket leaves the server alive`() async throws {
    let fixture = try Fixture([CallTests.echo])
    var random = SystemRandomNumberGenerator()
    for length in [1, 9, 24, 100, 10_000] {
      for _ in 0..<10 {
        let connection = try RawConnection(fixture.endpoint)
        connection.send((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        connection.close()
      }
    }
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `malformed HTTP 2 leaves the server alive`() async throws {
    let fixture = try Fixture([CallTests.echo])
    var random = SystemRandomNumberGenerator()
    for kind in 0...12 as ClosedRange<UInt8> {
      for length in [0, 1, 5, 8, 300] {
        let connection = try RawConnection(fixture.endpoint)
        connection.preface()
        connection.frame(
          kind, flags: UInt8.random(in: 0...255, using: &random), stream: UInt32.random(in: 0...5, using: &random),
          (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        connection.send([0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1])
        connection.close()
      }
    }
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `calls that break off anywhere leave the server alive and nothing behind`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let whole = RawConnection.bytes(ofCall: "/test.Echo/Echo", message: [1, 2, 3], stream: 1)
    for length in 0...whole.count {
      let connection = try RawConnection(fixture.endpoint)
      connection.preface()
      connection.send(Array(whole.prefix(length)))
      connection.close()
    }
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `a call without a message never reaches the handler`() async throws {
    let calls = Counter()
    let fixture = try Fixture([
      .unary("/test.Echo/Count", .bytes, .bytes) { request, _ in
        calls.increment()
        return request
      }
    ])
    let connection = try RawConnection(fixture.endpoint)
    connection.preface()
    connection.frame(1, flags: 0x5, stream: 1, RawConnection.headers("/test.Echo/Count"))
    #expect(connection.receives("the call carries no request"))
    connection.close()
    #expect(calls.value == 0)
    await fixture.finish()
  }
}
