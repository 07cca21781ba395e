import Glibc
import Testing

@testable import GRPC

@Suite struct DrainTests {
  @Test func `a drain lets the calls under way finish and refuses new ones`() async throws {
    let (entered, gate) = (Counter(), Gate())
    let fixture = try Fixture([
      .unary("/test.Wait/Gate", .bytes, .bytes, dispatch: .inline) { request, _ in
        entered.increment()
        try await gate.wait()
        return request
      }, CallTests.echo,
    ])
    let call = Task { try await fixture.call("/test.Wait/Gate", [5], timeout: nil) }
    #expect(await eventually { entered.value == 1 })
    let drain = Task { await fixture.server.shutdown(grace: .seconds(60)) }
    #expect(await eventually { access(fixture.endpoint.path, F_OK) != 0 })

    // Until the client heard that the server goes away, gRPC core resets its new calls.
    let refused = await status { _ = try await fixture.call("/test.Echo/Echo") }
    #expect([.unavailable, .cancelled].contains(refused.code))
    let other = Client(endpoint: fixture.endpoint)
    #expect(await status { _ = try await other.unary("/test.Echo/Echo", .bytes, .bytes, []) }.code == .unavailable)

    gate.open()
    #expect(try await call.value == [5])
    await drain.value
    await fixture.finish()
  }

  @Test func `calls that outlive the grace period are cancelled`() async throws {
    let (entered, cancelled) = (Counter(), Counter())
    let fixture = try Fixture([
      .unary("/test.Wait/Forever", .bytes, .bytes) { request, _ in
        entered.increment()
        do { try await Task.sleep(for: .seconds(3600)) } catch {
          cancelled.increment()
          throw error
        }
        return request
      }
    ])
    let call = Task { await status { _ = try await fixture.call("/test.Wait/Forever", timeout: nil) } }
    #expect(await eventually { entered.value == 1 })
    await fixture.server.shutdown(grace: .milliseconds(50))
    #expect(cancelled.value == 1)
    #expect([.unavailable, .cancelled].contains(await call.value.code))
    await fixture.finish()
  }

  @Test func `a handler that ignores its cancellation holds the shutdown up only for a limited time`() async throws {
    let (entered, release) = (Counter(), Counter())
    let fixture = try Fixture([
      .unary("/test.Wait/Stubborn", .bytes, .bytes) { request, _ in
        entered.increment()
        while release.value == 0 { await Task.yield() }
        return request
      }
    ]) { $0.cancelledHandlerLimit = .milliseconds(50) }
    let call = Task { await status { _ = try await fixture.call("/test.Wait/Stubborn", timeout: nil) } }
    #expect(await eventually { entered.value == 1 })
    await fixture.server.shutdown(grace: .zero)
    #expect(fixture.server.openCalls == 1)
    _ = await call.value
    // The handler comes late: its answer goes nowhere, and the server ends behind it.
    release.increment()
    await fixture.finish()
  }

  @Test func `a shutdown may be asked for twice, also at once, and before any start`() async throws {
    let fixture = try Fixture([CallTests.echo])
    _ = try await fixture.call("/test.Echo/Echo")
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { await fixture.server.shutdown(grace: .seconds(10)) } }
    }
    await fixture.finish()
    await Server(routes: [], pool: globalConcurrentExecutor).shutdown(grace: .zero)
  }

  @Test func `a second shutdown with a shorter grace hastens the first`() async throws {
    let entered = Counter()
    let fixture = try Fixture([
      .unary("/test.Wait/Forever", .bytes, .bytes) { request, _ in
        entered.increment()
        try await Task.sleep(for: .seconds(3600))
        return request
      }
    ])
    let call = Task { await status { _ = try await fixture.call("/test.Wait/Forever", timeout: nil) } }
    #expect(await eventually { entered.value == 1 })
    let patient = Task { await fixture.server.shutdown(grace: .seconds(3600)) }
    await fixture.server.shutdown(grace: .zero)
    await patient.value
    #expect(await call.value.code != .ok)
    await fixture.finish()
  }

  @Test func `a server under load drains without losing its balance`() async throws {
    for _ in 0..<10 {
      let fixture = try Fixture([CallTests.echo])
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            var last = Status(.ok, "")
            while last.code == .ok { last = await status { _ = try await fixture.call("/test.Echo/Echo", [1]) } }
            // None may hang until its own deadline.
            #expect([.unavailable, .cancelled].contains(last.code))
          }
        }
        group.addTask {
          try? await Task.sleep(for: .milliseconds(10))
          await fixture.server.shutdown(grace: .seconds(10))
        }
      }
      await fixture.finish()
    }
  }
}
