import Configuration
import HTTP
import Logging
import Storage
import Synchronization

/// The sessions of all clouds that are used: those of the configuration for good, and the latest of those whose
/// credentials came with a call.
package final class CloudPool: Sendable {
  private struct Entry {
    let hash: Int
    let session: Session
    var used: UInt64
  }
  private struct State {
    var configured: [CloudName: Session] = [:]
    var own: [Entry] = []
    var clock: UInt64 = 0
  }

  private let configuration: CloudConfiguration
  private let capacity: Int
  private let observer: (any RequestObserver)?
  private let logger: Logger
  private let makeTransport: @Sendable (TLSOptions) throws -> any HTTPTransport
  private let state = Mutex(State())

  /// - Parameters:
  ///   - capacity: how many sessions with credentials of their own are kept.
  ///   - transport: makes the way out for a cloud.
  package init(
    _ configuration: CloudConfiguration, capacity: Int = 64, observer: (any RequestObserver)? = nil, logger: Logger,
    transport: @escaping @Sendable (TLSOptions) throws -> any HTTPTransport
  ) {
    self.configuration = configuration
    self.capacity = max(1, capacity)
    self.observer = observer
    self.logger = logger
    makeTransport = transport
  }

  /// How many sessions with credentials of their own there are.
  package var ownCount: Int { state.withLock { $0.own.count } }

  /// The session that a call's secrets mean.
  /// - Throws: `StorageError.invalid` or `.unauthenticated` for secrets that make no sense.
  package func session(for secrets: Secrets) throws -> Session {
    do {
      switch try CloudChoice(secrets: secrets) {
      case .standard:
        guard let name = configuration.defaultCloud else {
          throw ConfigurationError("the secrets name no cloud, and the driver has no default one")
        }
        return try session(of: name)
      case .configured(let name): return try session(of: name)
      case .own(let cloud): return try session(with: cloud)
      }
    } catch let error as ConfigurationError {
      throw StorageError.unauthenticated("secrets: \(error.message)")
    }
  }

  /// The session of a configured cloud.
  /// - Throws: `ConfigurationError`.
  package func session(of name: CloudName) throws -> Session {
    if let session = state.withLock({ $0.configured[name] }) { return session }
    let fresh = try make(try configuration.cloud(name))
    return state.withLock { state in
      // Whoever was first gave the session that all use.
      let session = state.configured[name] ?? fresh
      state.configured[name] = session
      return session
    }
  }

  /// The session of a cloud with credentials of its own. Found by a hash with a key of this process; what it is
  /// compared with are the credentials that the session itself must keep.
  private func session(with cloud: Cloud) throws -> Session {
    let hash = cloud.hashValue
    if let session = state.withLock({ Self.find(cloud, hash, &$0) }) { return session }
    let fresh = try make(cloud)
    return state.withLock { state in
      if let session = Self.find(cloud, hash, &state) { return session }
      if state.own.count >= capacity,
        let oldest = state.own.indices.min(by: { state.own[$0].used < state.own[$1].used })
      {
        state.own.remove(at: oldest)
      }
      state.own.append(Entry(hash: hash, session: fresh, used: state.clock))
      return fresh
    }
  }

  private static func find(_ cloud: Cloud, _ hash: Int, _ state: inout State) -> Session? {
    state.clock += 1
    guard let index = state.own.firstIndex(where: { $0.hash == hash && $0.session.cloud == cloud }) else { return nil }
    state.own[index].used = state.clock
    return state.own[index].session
  }

  private func make(_ cloud: Cloud) throws -> Session {
    if cloud.tls.isInsecure {
      logger.warning(
        "certificates are not verified: whoever stands between can read the password",
        metadata: ["cloud": "\(cloud.name)"])
    }
    return Session(cloud: cloud, transport: try makeTransport(cloud.tls), observer: observer)
  }
}
