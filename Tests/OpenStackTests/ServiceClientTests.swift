import HTTP
import JSONText
import Synchronization
import Testing

@testable import OpenStack

@Suite struct `A service's client` {
  private let id = ResourceID("11111111-2222-3333-4444-555555555555")

  private func client(_ service: RecordingService, parallel: Int = 16, cloud: Cloud = Replies.cloud) -> ServiceClient {
    var limits = ServiceClient.Limits()
    limits.parallel = parallel
    limits.retries = .quick
    return ServiceClient(.blockStorage, session: Session(cloud: cloud, transport: service), limits: limits)
  }

  private func refusal(_ body: () async throws -> Void) async -> OpenStackError? {
    do {
      try await body()
      return nil
    } catch { return error as? OpenStackError }
  }

  private func getVolume(_ client: ServiceClient) async throws -> Cinder.Volume {
    try await client.send(Cinder.getVolume(try #require(id)), deadline: .soon())
  }

  @Test func `fifty calls at once cost one token and one question for versions`() async throws {
    let volume = try Replies.volume("v1")
    let cinder = service { $0.path.contains("/volumes/") ? HTTPResponse(200, ["volume": volume]) : nil }
    let client = client(cinder, parallel: 8)
    try await withThrowingTaskGroup { group in
      for _ in 0..<50 { group.addTask { _ = try await getVolume(client) } }
      try await group.waitForAll()
    }
    #expect(cinder.count(.post, "/v3/auth/tokens") == 1)
    #expect(cinder.requests.count { $0.url == "http://c/v3/" } == 1)
    #expect(cinder.count(.get, "/v3/volumes/") == 50)
    #expect(cinder.mostRunning <= 8)
    let request = try #require(cinder.requests.last)
    #expect(request.header("X-Auth-Token") == "token-1")
    #expect(request.header("OpenStack-API-Version") == "volume 3.44")
  }

  @Test func `a token that ends for fifty calls costs one authentication`() async throws {
    let volume = try Replies.volume("v1")
    let everybody = Gate()
    let refused = Counter()
    let cinder = service { request in
      guard request.path.contains("/volumes/") else { return nil }
      guard request.header("X-Auth-Token") == "token-1" else { return HTTPResponse(200, ["volume": volume]) }
      if refused.next() == 50 { everybody.open() }
      try await everybody.wait()
      return HTTPResponse(401, ["error": ["message": "The request you have made requires authentication."]])
    }
    let client = client(cinder, parallel: 50)
    try await withThrowingTaskGroup { group in
      for _ in 0..<50 { group.addTask { _ = try await getVolume(client) } }
      try await group.waitForAll()
    }
    #expect(cinder.count(.post, "/v3/auth/tokens") == 2)
    #expect(cinder.count(.get, "/v3/volumes/") == 100)
  }

  @Test(arguments: [(401, 2, OpenStackError.Kind.unauthenticated), (403, 1, .forbidden)])
  func `401 is tried once more with another token, 403 never`(
    status: Int, tokens: Int, kind: OpenStackError.Kind
  ) async {
    let cinder = service { $0.path.contains("/volumes/") ? HTTPResponse(status) : nil }
    let client = client(cinder)
    let error = await refusal { _ = try await getVolume(client) }
    #expect(error?.kind == kind)
    #expect(cinder.count(.post, "/v3/auth/tokens") == tokens)
    #expect(cinder.count(.get, "/v3/volumes/") == tokens)
  }

  @Test func `a creation is repeated when the service refused it, and not when it may have been made`() async throws {
    let tries = Counter()
    let volume = try Replies.volume("v1", "creating")
    let cinder = service { request in
      guard request.method == .post, request.path.hasSuffix("/volumes") else { return nil }
      switch tries.next() {
      case 1: throw HTTPError.unreachable("no")
      case 2: return HTTPResponse(429, headers: ["Retry-After": "0"])
      case 3: return HTTPResponse(202, ["volume": volume])
      default: throw HTTPError.cut("the connection ended")
      }
    }
    let client = client(cinder)
    let request = Cinder.createVolume(Cinder.VolumeSpecification(name: "pvc-1", size: 1))
    #expect(try await client.send(request, deadline: .soon()).status == "creating")
    #expect(tries.now == 3)
    let error = await refusal { _ = try await client.send(request, deadline: .soon()) }
    #expect(error?.cause == .transport(.cut("the connection ended")))
    #expect(tries.now == 4)
  }

  @Test func `nobody waits longer than there is time`() async throws {
    let cinder = service { request in
      request.path.contains("/volumes/") ? HTTPResponse(503, headers: ["Retry-After": "60"]) : nil
    }
    let client = client(cinder)
    let start = ContinuousClock.now
    let error = await refusal { _ = try await getVolume(client) }
    #expect(error?.status == 503)
    #expect(error?.retryAfter == .seconds(60))
    #expect(.now - start < .seconds(20))
    #expect(cinder.count(.get, "/v3/volumes/") == 1)
  }

  @Test func `a cancelled wait for a place gives it on`() async throws {
    let gate = Gate()
    let volume = try Replies.volume("v1")
    let cinder = service { request in
      guard request.path.contains("/volumes/") else { return nil }
      try await gate.wait()
      return HTTPResponse(200, ["volume": volume])
    }
    let client = client(cinder, parallel: 1)
    let first = Task { try await getVolume(client) }
    while cinder.count(.get, "/v3/volumes/") < 1 { await Task.yield() }
    let second = Task { try await getVolume(client) }
    let third = Task { try await getVolume(client) }
    second.cancel()
    await #expect(throws: CancellationError.self) { try await second.value }
    gate.open()
    #expect(try await first.value.status == "available")
    #expect(try await third.value.status == "available")
  }

  @Test func `a version that the service has not is refused before it is asked, and 406 is explained`() async throws {
    let cinder = service { request in
      if request.url == "http://c/v3/" { return try Replies.versions("3.59") }
      return request.path.contains("/volumes/")
        ? HTTPResponse(406, ["computeFault": ["message": "Version 3.44 is not supported"]]) : nil
    }
    let client = client(cinder)
    let old = await refusal {
      _ = try await client.send(Cinder.listVolumes(ListQuery(updatedAfter: 0)), deadline: .soon())
    }
    #expect(
      old?.message == "cinder_volume_list needs microversion 3.60 or newer; the service offers 3.0 to 3.59")
    #expect(cinder.count(.get, "/v3/volumes") == 0)
    let refused = await refusal { _ = try await getVolume(client) }
    #expect(refused?.kind == .unsupported)
    #expect(refused?.message.contains("it said that it offers 3.0 to 3.59") == true)
    _ = await refusal { _ = try await getVolume(client) }
    #expect(cinder.requests.count { $0.url == "http://c/v3/" } == 2)
  }

  @Test func `a service that hides its versions gets the least that is needed`() async throws {
    let volume = try Replies.volume("v1")
    let cinder = service { request in
      if request.url == "http://c/v3/" { return HTTPResponse(403) }
      return request.path.contains("/volumes/") ? HTTPResponse(200, ["volume": volume]) : nil
    }
    _ = try await getVolume(client(cinder))
    #expect(cinder.requests.last?.header("OpenStack-API-Version") == "volume 3.44")
  }

  @Test func `a configured address goes before the catalogue's`() async throws {
    var cloud = Replies.cloud
    cloud.endpoints[.blockStorage] = "http://other/volume/v3/%(project_id)s"
    let volume = try Replies.volume("v1")
    let cinder = service { request in
      if request.url == "http://other/volume/v3/" { return try Replies.versions() }
      return request.url.hasPrefix("http://other/volume/v3/\(Replies.project)/volumes/")
        ? HTTPResponse(200, ["volume": volume]) : nil
    }
    #expect(try await getVolume(client(cinder, cloud: cloud)).id.rawValue == "v1")
  }

  @Test(arguments: ["", "[]", "{}", #"{"volume": null}"#, #"{"volume": {"id": "../x", "status": "a", "size": 1}}"#])
  func `an answer that is not what the API promises is an error`(body: String) async {
    let cinder = service { request in
      request.path.contains("/volumes/") ? HTTPResponse(status: 200, body: Array(body.utf8)) : nil
    }
    let client = client(cinder)
    #expect(await refusal { _ = try await getVolume(client) }?.cause == .malformed)
  }

  @Test func `every request is observed with its outcome`() async throws {
    final class Book: RequestObserver {
      let lines = Mutex<[String]>([])
      func requestEnded(_ request: String, seconds: Double, failed: Bool) {
        lines.withLock { $0.append("\(request) \(failed)") }
      }
    }
    let book = Book()
    let cinder = service { _ in nil }
    let session = Session(cloud: Replies.cloud, transport: cinder, observer: book)
    let client = ServiceClient(.blockStorage, session: session, observer: book)
    _ = await refusal { _ = try await getVolume(client) }
    #expect(
      book.lines.withLock { $0 }
        == ["keystone_token_create false", "cinder_version_get false", "cinder_volume_get true"])
  }
}
