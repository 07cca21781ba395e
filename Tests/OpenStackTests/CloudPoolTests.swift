import Configuration
import HTTP
import Logging
import Storage
import Synchronization
import Testing

@testable import OpenStack

@Suite struct `The pool of clouds` {
  private func pool(_ yaml: String, capacity: Int = 2) throws -> CloudPool {
    let clouds = try CloudConfiguration.load(environment: [:]) { path in
      path == "/etc/openstack/clouds.yaml" ? Array(yaml.utf8) : nil
    }
    return CloudPool(clouds, capacity: capacity, logger: Logger(label: "test")) { _ in
      RecordingService { _ in try Replies.token() }
    }
  }

  private let two = "clouds: {a: {auth: {auth_url: 'http://a', token: t}}, b: {auth: {auth_url: 'http://b', token: t}}}"

  private func own(_ user: String) -> Secrets {
    Secrets(["os-authURL": "http://k", "os-userID": user, "os-password": "top-secret", "os-projectID": "p"])
  }

  @Test func `a configured cloud has one session, whoever names it`() throws {
    let pool = try pool(two)
    let named = try pool.session(for: Secrets(["cloud": "b"]))
    #expect(try pool.session(of: CloudName("b")) === named)
    #expect(try pool.session(of: CloudName("a")) !== named)
    #expect(throws: StorageError.self) { try pool.session(for: .none) }
    #expect(throws: StorageError.self) { try pool.session(for: Secrets(["cloud": "c"])) }
  }

  @Test func `equal credentials share a session, and the one that was not used for longest goes`() throws {
    let pool = try pool(two)
    let first = try pool.session(for: own("u1"))
    let second = try pool.session(for: own("u2"))
    #expect(first !== second)
    #expect(try pool.session(for: own("u1")) === first)
    _ = try pool.session(for: own("u3"))
    #expect(pool.ownCount == 2)
    #expect(try pool.session(for: own("u1")) === first)
    #expect(try pool.session(for: own("u2")) !== second)
  }

  @Test func `another password is another session`() throws {
    let pool = try pool(two)
    let other = Secrets(["os-authURL": "http://k", "os-userID": "u1", "os-password": "x", "os-projectID": "p"])
    let session = try pool.session(for: own("u1"))
    #expect(try pool.session(for: other) !== session)
  }

  @Test func `no rendering of the pool shows a password`() throws {
    let pool = try pool(two)
    let session = try pool.session(for: own("u1"))
    var dumped = ""
    dump(pool, to: &dumped)
    dump(session, to: &dumped)
    dump(session.cloud, to: &dumped)
    #expect(!dumped.contains("top-secret"))
  }
}
