import Testing

@testable import GRPC

@Suite struct CallTests {
  static let echo = Route.unary("/test.Echo/Echo", .bytes, .bytes, dispatch: .inline) { request, _ in request }

  @Test func `a unary call carries the request to the handler and its response back`() async throws {
    let fixture = try Fixture([Self.echo])
    #expect(try await fixture.call("/test.Echo/Echo", [1, 2, 3]) == [1, 2, 3])
    #expect(try await fixture.call("/test.Echo/Echo", []) == [])
    let long = [UInt8](repeating: 7, count: 1 << 20)
    #expect(try await fixture.call("/test.Echo/Echo", long) == long)
    await fixture.finish()
  }

  @Test func `a pool route runs its handler with the pool and answers the same`() async throws {
    let fixture = try Fixture([
      .unary("/test.Echo/Echo", .bytes, .bytes, dispatch: .pool) { request, _ in request.reversed() }
    ])
    #expect(try await fixture.call("/test.Echo/Echo", [1, 2, 3]) == [3, 2, 1])
    await fixture.finish()
  }

  @Test func `a stream delivers all messages in order and then ends`() async throws {
    let fixture = try Fixture([
      .serverStream("/test.Count/Count", .bytes, .bytes) { request, writer, _ in
        for number in 0..<request[0] { try await writer.write([number]) }
      }
    ])
    var received: [UInt8] = []
    for try await message in fixture.stream("/test.Count/Count", [200]) { received += message }
    #expect(received == Array(0..<200))
    await fixture.finish()
  }
}
