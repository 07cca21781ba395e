import Testing

@testable import GRPC

@Suite struct FailureTests {
  private struct Odd: Error {}

  @Test func `every status code and any Unicode in its message reach the caller`() async throws {
    let message = "100 % größer: 体积 \"x\"\nnext line 🚀"
    let fixture = try Fixture([
      .unary("/test.Fail/With", .bytes, .bytes) { request, _ in
        throw Status(StatusCode(rawValue: Int32(request[0])) ?? .unknown, message)
      }
    ])
    for code in StatusCode.allCases where code != .ok {
      let failure = await status { _ = try await fixture.call("/test.Fail/With", [UInt8(code.rawValue)]) }
      #expect(failure == Status(code, message))
    }
    await fixture.finish()
  }

  @Test func `an error that is no status becomes UNKNOWN, a CancellationError becomes CANCELLED`() async throws {
    let fixture = try Fixture([
      .unary("/test.Fail/Odd", .bytes, .bytes) { _, _ in throw Odd() },
      .unary("/test.Fail/Cancel", .bytes, .bytes, dispatch: .inline) { _, _ in throw CancellationError() },
    ])
    #expect(await status { _ = try await fixture.call("/test.Fail/Odd") } == Status(.unknown, "Odd()"))
    #expect(await status { _ = try await fixture.call("/test.Fail/Cancel") }.code == .cancelled)
    await fixture.finish()
  }

  @Test func `a method that nobody serves answers UNIMPLEMENTED and names it`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let failure = await status { _ = try await fixture.call("/test.Echo/Missing", [1]) }
    #expect(failure == Status(.unimplemented, "unknown method /test.Echo/Missing"))
    for _ in 0..<100 {
      #expect(await status { _ = try await fixture.call("/other", []) }.code == .unimplemented)
    }
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  /// Text that must be UTF-8.
  private static let text = Codec<String>(
    decode: { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { throw Odd() }
      return text
    },
    encode: { text, allocate in allocate(text.utf8.count).copyBytes(from: text.utf8) })

  @Test func `a request that does not decode answers INVALID_ARGUMENT and the handler never runs`() async throws {
    let calls = Counter()
    let refusing = Codec<[UInt8]>(
      decode: { _ in throw Status(.outOfRange, "the codec's own words") }, encode: Codec.bytes.encode)
    let fixture = try Fixture([
      .unary("/test.Text/Inline", Self.text, Self.text, dispatch: .inline) { request, _ in
        calls.increment()
        return request
      },
      .unary("/test.Text/Pool", Self.text, Self.text) { request, _ in
        calls.increment()
        return request
      },
      .serverStream("/test.Text/Stream", Self.text, Self.text) { _, _, _ in calls.increment() },
      .unary("/test.Text/Own", refusing, .bytes) { request, _ in request },
    ])
    for path in ["/test.Text/Inline", "/test.Text/Pool", "/test.Text/Stream"] {
      let failure = await status { _ = try await fixture.call(path, [0x61, 0xFF, 0x62]) }
      #expect(failure.code == .invalidArgument)
      #expect(failure.message.hasPrefix("malformed request"))
    }
    #expect(calls.value == 0)
    let own = await status { _ = try await fixture.call("/test.Text/Own") }
    #expect(own == Status(.outOfRange, "the codec's own words"))
    #expect(try await fixture.call("/test.Text/Pool", Array("größer".utf8)) == Array("größer".utf8))
    await fixture.finish()
  }

  @Test func `a response that does not encode answers INTERNAL`() async throws {
    let broken = Codec<[UInt8]>(
      decode: Codec.bytes.decode,
      encode: { _, allocate in
        _ = allocate(100)
        throw Odd()
      })
    let fixture = try Fixture([
      .unary("/test.Broken/Unary", .bytes, broken) { request, _ in request },
      .serverStream("/test.Broken/Stream", .bytes, broken) { request, writer, _ in try await writer.write(request) },
    ])
    #expect(await status { _ = try await fixture.call("/test.Broken/Unary") }.code == .internal)
    #expect(await status { for try await _ in fixture.stream("/test.Broken/Stream") {} }.code == .internal)
    await fixture.finish()
  }

  @Test func `a response that does not decode is INTERNAL to the caller`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let failure = await status {
      _ = try await fixture.client.unary("/test.Echo/Echo", .bytes, Self.text, [0xFF])
    }
    #expect(failure.code == .internal)
    await fixture.finish()
  }

  @Test func `a request of five mebibytes is RESOURCE_EXHAUSTED and the connection stays healthy`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let five = [UInt8](repeating: 1, count: 5 << 20)
    let failure = await status { _ = try await fixture.call("/test.Echo/Echo", five) }
    #expect(failure.code == .resourceExhausted)
    #expect(try await fixture.call("/test.Echo/Echo", [1, 2]) == [1, 2])
    let most = [UInt8](repeating: 1, count: 4 << 20)
    #expect(try await fixture.call("/test.Echo/Echo", most) == most)
    await fixture.finish()
  }

  @Test func `a response of five mebibytes is RESOURCE_EXHAUSTED to the caller`() async throws {
    let fixture = try Fixture([
      .unary("/test.Long/Long", .bytes, .bytes) { _, _ in [UInt8](repeating: 1, count: 5 << 20) }, CallTests.echo,
    ])
    #expect(await status { _ = try await fixture.call("/test.Long/Long") }.code == .resourceExhausted)
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `the limit of a message is configurable`() async throws {
    let fixture = try Fixture([CallTests.echo]) { $0.maxMessageBytes = 1000 }
    #expect(try await fixture.call("/test.Echo/Echo", [UInt8](repeating: 1, count: 1000)).count == 1000)
    let failure = await status { _ = try await fixture.call("/test.Echo/Echo", [UInt8](repeating: 1, count: 1001)) }
    #expect(failure.code == .resourceExhausted)
    await fixture.finish()
  }
}
