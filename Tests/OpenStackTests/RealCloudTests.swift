import Configuration
import HTTP
import Synchronization
import Testing

@testable import OpenStack

/// Passes requests on and counts them.
private final class CountingTransport: HTTPTransport {
  private let inner = CurlTransport()
  private let lines = Mutex<[String]>([])

  func send(_ request: HTTPRequest, deadline: ContinuousClock.Instant) async throws -> HTTPResponse {
    lines.withLock { $0.append("\(request.method.rawValue) \(request.path)") }
    return try await inner.send(request, deadline: deadline)
  }

  func count(_ prefix: String) -> Int { lines.withLock { $0.count { $0.hasPrefix(prefix) } } }
  var total: Int { lines.withLock { $0.count } }
}

/// Against the OpenStack that `hack/openstack run` starts.
@Suite(
  .enabled(
    if: Configuration.processEnvironment["STOWAGE_TEST_OPENSTACK"] == "1", "hack/openstack run -- starts what it needs"),
  .serialized)
struct `A real cloud` {
  private let transport = CountingTransport()
  private let session: Session
  private let cinder: ServiceClient
  private let volumes: Poller<Cinder.Volume>

  init() throws {
    let clouds = try CloudConfiguration.load(environment: Configuration.processEnvironment)
    session = Session(cloud: try clouds.cloud(try #require(clouds.defaultCloud)), transport: transport)
    cinder = ServiceClient(.blockStorage, session: session)
    volumes = Poller(.volumes(cinder))
  }

  private func make(_ name: String) async throws -> Cinder.Volume {
    let began = ContinuousClock.now
    let made = try await cinder.send(
      Cinder.createVolume(Cinder.VolumeSpecification(name: name, size: 1)), deadline: .soon(120))
    return try await volumes.wait(for: made.id, began: began, deadline: .soon(120)) { volume in
      volume?.status == "available" ? volume : nil
    }
  }

  private func remove(_ id: ResourceID) async throws {
    try await cinder.send(Cinder.deleteVolume(id), deadline: .soon(120))
    _ = try await volumes.wait(for: id, deadline: .soon(120), expectsEnd: true) { $0 == nil ? true : nil }
  }

  @Test func `each configured cloud gives a token`() async throws {
    let clouds = try CloudConfiguration.load(environment: Configuration.processEnvironment)
    #expect(!clouds.names.isEmpty)
    for name in clouds.names {
      let token = try await Session(cloud: try clouds.cloud(name), transport: transport).token(deadline: .soon())
      #expect(!token.catalogue.endpoints.isEmpty)
      #expect(token.lifetime > .seconds(60))
    }
  }

  @Test func `a volume's life is read as it goes on`() async throws {
    let volume = try await make("real-life")
    #expect(volume.size == 1)
    try await cinder.send(Cinder.extendVolume(volume.id, to: 2), deadline: .soon())
    let grown = try await volumes.wait(for: volume.id, deadline: .soon(120)) { (seen: Cinder.Volume?) -> Int64? in
      seen?.status == "available" && seen?.size == 2 ? seen?.size : nil
    }
    #expect(grown == 2)
    try await remove(volume.id)
    #expect(try await cinder.find(Cinder.getVolume(volume.id), deadline: .soon()) == nil)
  }

  @Test func `fifty volumes at once cost one token, fifty creations and few lists`() async throws {
    try await withThrowingTaskGroup { group in
      for number in 0..<50 {
        group.addTask {
          let volume = try await make("many-\(number)")
          try await remove(volume.id)
        }
      }
      try await group.waitForAll()
    }
    #expect(transport.count("POST /v3/auth/tokens") == 1)
    #expect(transport.count("POST /v3/volumes") == 50)
    #expect(transport.count("DELETE ") == 50)
    // Without sharing it would be several for each of them.
    #expect(transport.count("GET ") < 100)
  }
}
