import Testing

@testable import GRPC

@Suite struct StreamTests {
  @Test func `a stream delivers all messages in order and then ends`() async throws {
    let fixture = try Fixture([
      .serverStream("/test.Count/Count", .bytes, .bytes) { request, writer, _ in
        for number in 0..<request[0] { try await writer.write([number]) }
      }
    ])
    for count in [0, 1, 200] as [UInt8] {
      var received: [UInt8] = []
      for try await message in fixture.stream("/test.Count/Count", [count]) { received += message }
      #expect(received == Array(0..<count))
    }
    await fixture.finish()
  }

  @Test func `a stream that fails delivers what came before and then throws the status`() async throws {
    let fixture = try Fixture([
      .serverStream("/test.Count/Fail", .bytes, .bytes, dispatch: .inline) { _, writer, _ in
        try await writer.write([1])
        try await writer.write([2])
        throw Status(.outOfRange, "no more")
      }
    ])
    var received: [UInt8] = []
    let failure = await status {
      for try await message in fixture.stream("/test.Count/Fail") { received += message }
    }
    #expect(received == [1, 2])
    #expect(failure == Status(.outOfRange, "no more"))
    await fixture.finish()
  }

  @Test func `a reader that pauses stops the writer, and gets everything when it goes on`() async throws {
    let total = 2000
    let written = Counter()
    let fixture = try Fixture([
      .serverStream("/test.Flood/Flood", .bytes, .bytes) { _, writer, _ in
        for number in 0..<total {
          var message = [UInt8](repeating: 0, count: 16 << 10)
          (message[0], message[1]) = (UInt8(number & 255), UInt8(number >> 8))
          try await writer.write(message)
          written.increment()
        }
      }
    ])
    var iterator = fixture.stream("/test.Flood/Flood", timeout: nil).makeAsyncIterator()
    #expect(try await iterator.next() != nil)
    await settled(written)
    #expect(written.value < total / 2, "the writer ran ahead")
    var received = 1
    while let message = try await iterator.next() {
      #expect(Int(message[0]) + Int(message[1]) << 8 == received)
      received += 1
    }
    #expect(received == total)
    #expect(written.value == total)
    await fixture.finish()
  }

  /// Waits until `counter` stands still.
  private func settled(_ counter: Counter) async {
    var (last, same) = (-1, 0)
    while same < 20 {
      try? await Task.sleep(for: .milliseconds(10))
      same = counter.value == last ? same + 1 : 0
      last = counter.value
    }
  }

  @Test func `several tasks may write one stream, and no message is lost`() async throws {
    let fixture = try Fixture([
      .serverStream("/test.Count/Crowd", .bytes, .bytes) { _, writer, _ in
        try await withThrowingTaskGroup(of: Void.self) { group in
          for task in 0..<8 as Range<UInt8> {
            group.addTask { for number in 0..<100 as Range<UInt8> { try await writer.write([task, number]) } }
          }
          try await group.waitForAll()
        }
      }
    ])
    var next = [UInt8](repeating: 0, count: 8)
    for try await message in fixture.stream("/test.Count/Crowd") {
      #expect(message[1] == next[Int(message[0])])
      next[Int(message[0])] += 1
    }
    #expect(next == [UInt8](repeating: 100, count: 8))
    await fixture.finish()
  }

  @Test func `a write after the call ended throws CANCELLED`() async throws {
    let kept = Box<ResponseWriter<[UInt8]>?>(nil)
    let fixture = try Fixture([
      .serverStream("/test.Keep/Keep", .bytes, .bytes) { _, writer, _ in kept.value = writer }
    ])
    for try await _ in fixture.stream("/test.Keep/Keep") {}
    let writer = try #require(kept.value)
    #expect(await status { try await writer.write([1]) }.code == .cancelled)
    kept.value = nil
    // The test itself holds the context by `writer` until here.
    _ = consume writer
    await fixture.finish()
  }

  @Test func `a writer whose reader went away is told`() async throws {
    let told = Counter()
    let fixture = try Fixture([
      .serverStream("/test.Flood/Endless", .bytes, .bytes) { _, writer, _ in
        do {
          while true { try await writer.write([UInt8](repeating: 1, count: 1000)) }
        } catch {
          told.increment()
          throw error
        }
      }
    ])
    for try await _ in fixture.stream("/test.Flood/Endless", timeout: nil) { break }
    #expect(await eventually { told.value == 1 })
    await fixture.finish()
  }

  @Test func `a handler that returns while its tasks still write ends the call`() async throws {
    let fixture = try Fixture([
      .serverStream("/test.Loose/Loose", .bytes, .bytes) { _, writer, _ in
        for _ in 0..<8 {
          Task.detached { while true { try await writer.write([UInt8](repeating: 1, count: 100)) } }
        }
        try await writer.write([1])
      }
    ])
    for _ in 0..<50 {
      for try await _ in fixture.stream("/test.Loose/Loose") {}
    }
    await fixture.finish()
  }
}
