import Glibc
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

  @Test func `an inline handler begins on the poller and a pool handler on the pool`() async throws {
    let pool = ThreadPerJob()
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    var options = ServerOptions()
    options.lockDirectory = directory.path
    let server = Server(
      routes: [
        .unary("/test.Where/Inline", .bytes, .bytes, dispatch: .inline) { _, _ in ThreadPerJob.threadName() },
        .unary("/test.Where/Pool", .bytes, .bytes, dispatch: .pool) { _, _ in ThreadPerJob.threadName() },
      ], pool: pool, options: options)
    try server.start(on: endpoint)
    let client = Client(endpoint: endpoint)
    #expect(try await client.unary("/test.Where/Inline", .bytes, .bytes, []) == Array("grpc-server".utf8))
    #expect(pool.jobs.value == 0)
    #expect(try await client.unary("/test.Where/Pool", .bytes, .bytes, []) == Array("pool-thread".utf8))
    #expect(pool.jobs.value > 0)
    await server.shutdown(grace: .seconds(10))
  }

  @Test func `five hundred calls are under way at the same time on one connection`() async throws {
    let everybody = Barrier(500)
    let fixture = try Fixture([
      .unary("/test.Echo/Together", .bytes, .bytes, dispatch: .inline) { request, _ in
        await everybody.arrive()
        return request
      }
    ])
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<500 {
        group.addTask {
          let answer = try await fixture.call("/test.Echo/Together", [UInt8(number & 255), UInt8(number >> 8)])
          return Int(answer[0]) + Int(answer[1]) << 8
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 500 * 499 / 2)
    await fixture.finish()
  }

  @Test func `many short calls from many tasks all get their own answer`() async throws {
    let fixture = try Fixture([Self.echo])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<16 {
        group.addTask {
          for call in 0..<200 {
            let request = [UInt8(task), UInt8(call)]
            let response = try await fixture.call("/test.Echo/Echo", request)
            #expect(response == request)
          }
        }
      }
      try await group.waitForAll()
    }
    await fixture.finish()
  }

  @Test func `the caller's metadata reaches the handler, binary values as raw bytes`() async throws {
    let fixture = try Fixture([
      .unary("/test.Meta/Get", .bytes, .bytes) { request, context in
        let key = String(decoding: request, as: UTF8.self)
        if key.hasSuffix("-bin") { return context.binaryMetadata(key) ?? [] }
        return Array((context.metadata(key) ?? "none").utf8)
      }
    ])
    func get(_ key: String) async throws -> [UInt8] {
      try await fixture.client.unary(
        "/test.Meta/Get", .bytes, .bytes, Array(key.utf8), timeout: .seconds(30),
        metadata: [("x-request-id", "42"), ("X-Upper", "is lowered")],
        binaryMetadata: [("trace-bin", [0, 255, 10, 37, 128])])
    }
    #expect(try await get("x-request-id") == Array("42".utf8))
    #expect(try await get("x-upper") == Array("is lowered".utf8))
    #expect(try await get("trace-bin") == [0, 255, 10, 37, 128])
    #expect(try await get("absent") == Array("none".utf8))
    #expect(String(decoding: try await get("user-agent"), as: UTF8.self).hasPrefix("grpc-c/"))
    await fixture.finish()
  }

  @Test func `metadata that no header may have is refused before it is sent`() async throws {
    let fixture = try Fixture([Self.echo])
    let refused = await status {
      _ = try await fixture.client.unary(
        "/test.Echo/Echo", .bytes, .bytes, [], metadata: [("two words", "value")])
    }
    #expect(refused.code == .invalidArgument)
    await fixture.finish()
  }

  @Test func `a context outlives its call and then has no metadata`() async throws {
    let kept = Box<CallContext?>(nil)
    let fixture = try Fixture([
      .unary("/test.Keep/Keep", .bytes, .bytes) { _, context in
        kept.value = context
        return []
      }
    ])
    _ = try await fixture.call("/test.Keep/Keep")
    #expect(kept.value?.method == "/test.Keep/Keep")
    await fixture.server.shutdown(grace: .seconds(10))
    #expect(kept.value?.metadata("user-agent") == nil)
    #expect(fixture.server.openCalls == 1)
    kept.value = nil
    await fixture.finish()
  }
}
