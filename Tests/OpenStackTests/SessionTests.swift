import HTTP
import JSONText
import Synchronization
import Testing

@testable import OpenStack

/// A clock that a test sets.
private final class Hands: Sendable {
  private let time = Mutex(ContinuousClock.now)
  var now: ContinuousClock.Instant { time.withLock { $0 } }
  func advance(_ seconds: Int) { time.withLock { $0 += .seconds(seconds) } }
}

@Suite struct `A session` {
  private func refusal(_ body: () async throws -> Void) async -> OpenStackError? {
    do {
      try await body()
      return nil
    } catch { return error as? OpenStackError }
  }

  @Test func `fifty callers cost one token`() async throws {
    let gate = Gate()
    let keystone = service { _ in
      try await gate.wait()
      return nil
    }
    let session = Session(cloud: Replies.cloud, transport: keystone)
    let callers = (0..<50).map { _ in Task { try await session.token(deadline: .soon()).secret } }
    gate.open()
    for caller in callers { #expect(try await caller.value == Secret("token-1")) }
    #expect(try await session.token(deadline: .soon()).projectID == Replies.project)
    #expect(keystone.requests.map(\.url) == ["http://k/v3/auth/tokens"])
  }

  @Test func `a caller that goes away or is late does not take the token from the others`() async throws {
    let gate = Gate()
    let keystone = service { _ in
      try await gate.wait()
      return nil
    }
    let session = Session(cloud: Replies.cloud, transport: keystone)
    let leaver = Task { try await session.token(deadline: .soon()) }
    let stayer = Task { try await session.token(deadline: .soon()) }
    leaver.cancel()
    await #expect(throws: CancellationError.self) { try await leaver.value }
    let late = await refusal { _ = try await session.token(deadline: .now + .milliseconds(5)) }
    #expect(late?.kind == .timedOut)
    gate.open()
    #expect(try await stayer.value.secret == Secret("token-1"))
    #expect(keystone.count(.post, "/v3/auth/tokens") == 1)
  }

  @Test func `a token is renewed in the background before its end, and waited for after it`() async throws {
    let hands = Hands()
    let second = Gate()
    let tokens = Counter()
    let keystone = service { request in
      guard request.method == .post else { return nil }
      let number = tokens.next()
      if number == 2 { try await second.wait() }
      // The clocks of service and driver are years apart: only the lifetime counts.
      return try Replies.token(number, lifetime: 1000)
    }
    let session = Session(cloud: Replies.cloud, transport: keystone, now: { hands.now })
    #expect(try await session.token(deadline: .soon()).secret == Secret("token-1"))
    hands.advance(799)
    #expect(try await session.token(deadline: .soon()).secret == Secret("token-1"))
    #expect(tokens.now == 1)
    hands.advance(2)
    #expect(try await session.token(deadline: .soon()).secret == Secret("token-1"))
    hands.advance(190)
    let waiting = Task { try await session.token(deadline: .soon()).secret }
    second.open()
    #expect(try await waiting.value == Secret("token-2"))
    #expect(tokens.now == 2)
  }

  @Test func `a renewal that fails leaves the old token and rests`() async throws {
    let hands = Hands()
    let tokens = Counter()
    let keystone = service { request in
      guard request.method == .post else { return nil }
      let number = tokens.next()
      return number == 1 ? try Replies.token(1, lifetime: 1000) : HTTPResponse(500)
    }
    let session = Session(cloud: Replies.cloud, transport: keystone, now: { hands.now })
    _ = try await session.token(deadline: .soon())
    hands.advance(900)
    _ = try await session.token(deadline: .soon())
    while tokens.now < 2 { await Task.yield() }
    try await Task.sleep(for: .milliseconds(20))
    for _ in 0..<20 { #expect(try await session.token(deadline: .soon()).secret == Secret("token-1")) }
    #expect(tokens.now == 2)
  }

  @Test(arguments: [
    ("http://k/v3", 0, "http://k/v3/auth/tokens"), ("http://k/identity/v3/", 0, "http://k/identity/v3/auth/tokens"),
    ("http://k/v2.0", 0, "http://k/v3/auth/tokens"), ("http://k/identity", 1, "http://k/identity/v3/auth/tokens"),
  ])
  func `versions are asked only where auth_url has none`(url: String, gets: Int, expected: String) async throws {
    let keystone = RecordingService { request in
      if request.method == .post { return try Replies.token() }
      let version: JSON = [
        "id": "v3.14", "status": "stable", "links": [["rel": "self", "href": "http://inner:5000/v3/"]],
      ]
      return HTTPResponse(300, ["versions": ["values": [version]]])
    }
    var cloud = Replies.cloud
    cloud.authURL = url
    let session = Session(cloud: cloud, transport: keystone)
    _ = try await session.token(deadline: .soon())
    #expect(keystone.count(.get, "/") == gets)
    #expect(keystone.requests.last?.url == expected)
  }

  @Test(arguments: [401, 403]) func `a refusal is told once and without the password`(status: Int) async throws {
    let keystone = RecordingService { _ in
      HTTPResponse(status, ["error": ["code": 401, "message": "wrong password top-secret"]])
    }
    let session = Session(cloud: Replies.cloud, transport: keystone)
    let error = await refusal { _ = try await session.token(deadline: .soon()) }
    #expect(error?.status == status)
    #expect(error?.message == "wrong password ***")
    #expect(keystone.requests.count == 1)
  }

  @Test func `Keystone is asked again when it is not there`() async throws {
    let tries = Counter()
    let keystone = service { _ in
      switch tries.next() {
      case 1: throw HTTPError.unreachable("no")
      case 2: throw HTTPError.cut("no")
      case 3: HTTPResponse(503)
      default: nil
      }
    }
    let session = Session(cloud: Replies.cloud, transport: keystone, retries: .quick)
    #expect(try await session.token(deadline: .soon()).secret == Secret("token-1"))
    #expect(tries.now == 4)
  }

  @Test(arguments: [
    HTTPResponse(201), HTTPResponse(201, ["token": [:]], headers: ["X-Subject-Token": "t"]),
    HTTPResponse(201, ["token": ["expires_at": "x"]], headers: ["X-Subject-Token": "t"]),
    HTTPResponse(
      201, ["token": ["issued_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"]],
      headers: ["X-Subject-Token": "t"]),
    HTTPResponse(201, ["token": 1], headers: ["X-Subject-Token": "t\r\nX: y"]),
  ])
  func `an answer that is no token is refused`(answer: HTTPResponse) async {
    let session = Session(cloud: Replies.cloud, transport: RecordingService { _ in answer })
    let error = await refusal { _ = try await session.token(deadline: .soon()) }
    #expect(error?.cause == .malformed)
  }
}
