import Testing

@testable import GRPC

@Suite struct CancellationTests {
  /// Tells when a handler came and when its task was cancelled.
  private struct Watched: Sendable {
    let entered = Counter()
    let cancelled = Counter()

    func route(_ dispatch: Route.Dispatch) -> Route {
      .unary("/test.Wait/Forever", .bytes, .bytes, dispatch: dispatch) { request, _ in
        try await forever()
        return request
      }
    }

    var stream: Route {
      .serverStream("/test.Wait/Stream", .bytes, .bytes) { request, writer, _ in
        try await writer.write(request)
        try await forever()
      }
    }

    private func forever() async throws {
      entered.increment()
      do {
        try await Task.sleep(for: .seconds(3600))
      } catch {
        cancelled.increment()
        throw error
      }
    }
  }

  @Test func `the handler sees the caller's deadline`() async throws {
    let fixture = try Fixture([
      .unary("/test.Deadline/Left", .bytes, .bytes) { _, context in
        guard let deadline = context.deadline else { return Array("none".utf8) }
        let left = ContinuousClock.now.duration(to: deadline)
        // On the wire a timeout has few digits and is rounded up.
        return Array(left > .seconds(3000) && left < .seconds(4000) ? "an hour".utf8 : "\(left)".utf8)
      }
    ])
    #expect(try await fixture.call("/test.Deadline/Left", timeout: nil) == Array("none".utf8))
    #expect(try await fixture.call("/test.Deadline/Left", timeout: .seconds(3600)) == Array("an hour".utf8))
    #expect(try await fixture.call("/test.Deadline/Left", timeout: .seconds(Int64.max)) == Array("none".utf8))
    await fixture.finish()
  }

  @Test(arguments: [Route.Dispatch.inline, .pool])
  func `a deadline that passes ends the call and cancels the handler`(_ dispatch: Route.Dispatch) async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.route(dispatch)])
    let failure = await status { _ = try await fixture.call("/test.Wait/Forever", timeout: .milliseconds(100)) }
    #expect(failure.code == .deadlineExceeded)
    #expect(await eventually { watched.cancelled.value == watched.entered.value })
    await fixture.finish()
  }

  @Test func `a timeout of nothing is exceeded at once`() async throws {
    let fixture = try Fixture([CallTests.echo])
    for timeout in [Duration.zero, .seconds(-5), .seconds(Int64.min)] {
      let failure = await status { _ = try await fixture.call("/test.Echo/Echo", timeout: timeout) }
      #expect(failure.code == .deadlineExceeded)
    }
    await fixture.finish()
  }

  @Test(arguments: [Route.Dispatch.inline, .pool])
  func `cancelling the caller's task cancels the call and the handler`(_ dispatch: Route.Dispatch) async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.route(dispatch)])
    let caller = Task { await status { _ = try await fixture.call("/test.Wait/Forever", timeout: nil) } }
    #expect(await eventually { watched.entered.value == 1 })
    caller.cancel()
    #expect(await caller.value.code == .cancelled)
    #expect(await eventually { watched.cancelled.value == 1 })
    await fixture.finish()
  }

  @Test func `a task that is cancelled already makes no call that lasts`() async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.route(.inline)])
    let caller = Task {
      while !Task.isCancelled { await Task.yield() }
      return await status { _ = try await fixture.call("/test.Wait/Forever", timeout: nil) }
    }
    caller.cancel()
    #expect(await caller.value.code == .cancelled)
    await fixture.finish()
  }

  @Test func `a stream that is let go cancels its handler`() async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.stream])
    for try await message in fixture.stream("/test.Wait/Stream", [1], timeout: nil) {
      #expect(message == [1])
      break
    }
    #expect(await eventually { watched.cancelled.value == 1 })
    await fixture.finish()
  }

  @Test func `cancelling the task that reads a stream ends it and cancels its handler`() async throws {
    let watched = Watched()
    let read = Counter()
    let fixture = try Fixture([watched.stream])
    let reader = Task {
      await status {
        for try await _ in fixture.stream("/test.Wait/Stream", [1], timeout: nil) { read.increment() }
      }
    }
    #expect(await eventually { read.value == 1 && watched.entered.value == 1 })
    reader.cancel()
    #expect(await reader.value.code == .cancelled)
    #expect(await eventually { watched.cancelled.value == 1 })
    await fixture.finish()
  }

  @Test(arguments: [Route.Dispatch.inline, .pool])
  func `a client that dies without a word cancels its handlers`(_ dispatch: Route.Dispatch) async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.route(dispatch)])
    let dying = try RawConnection(fixture.endpoint)
    for stream in 0..<10 { dying.call("/test.Wait/Forever", message: [1, 2, 3], stream: UInt32(stream * 2 + 1)) }
    #expect(await eventually { watched.entered.value == 10 })
    dying.close()
    #expect(await eventually { watched.cancelled.value == 10 })
    await fixture.finish()
  }

  @Test func `a run of two thousand calls that are cancelled anywhere leaves nothing behind`() async throws {
    let watched = Watched()
    let fixture = try Fixture([watched.route(.inline), watched.stream, CallTests.echo])
    let client = fixture.client
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<20 {
        group.addTask {
          for number in 0..<100 {
            let call = Task {
              switch (worker + number) % 4 {
              case 0: _ = try await client.unary("/test.Wait/Forever", .bytes, .bytes, [1])
              case 1: for try await _ in client.serverStream("/test.Wait/Stream", .bytes, .bytes, [1]) {}
              case 2: _ = try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1])
              default:
                let timeout = Duration.microseconds(number * 20)
                _ = try await client.unary("/test.Wait/Forever", .bytes, .bytes, [1], timeout: timeout)
              }
            }
            for _ in 0..<(number % 7) { await Task.yield() }
            if (worker + number) % 4 != 3 { call.cancel() }
            _ = await call.result
          }
        }
      }
    }
    #expect(try await fixture.call("/test.Echo/Echo", [9]) == [9])
    #expect(await eventually { watched.cancelled.value == watched.entered.value })
    await fixture.finish()
  }
}
