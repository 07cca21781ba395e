import HTTP
import JSONText
import Synchronization

/// One user's way into one cloud: its token and catalogue, fetched once for all who need them.
///
/// The token lives in memory only. It is renewed in the background in good time before its end; whoever comes later
/// than that waits for the new one. Any number of callers cost one request.
package final class Session: Sendable {
  /// How long Keystone may take, repeats included, however short the patience of each caller.
  static let patience = Duration.seconds(60)
  /// How long a failed renewal in the background rests, while the old token is good.
  static let rest = Duration.seconds(10)

  package let cloud: Cloud
  package let transport: any HTTPTransport
  private let courier: Courier
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  private struct State {
    var token: Token?
    var flight: Promise<Token>?
    var identityURL: ServiceAddress?
    var resting: ContinuousClock.Instant?
  }

  /// - Parameters:
  ///   - transport: with the cloud's TLS options.
  ///   - now: the clock that tokens age by.
  package init(
    cloud: Cloud, transport: any HTTPTransport, retries: RetryPolicy = RetryPolicy(),
    observer: (any RequestObserver)? = nil, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.cloud = cloud
    self.transport = transport
    self.now = now
    courier = Courier(transport: transport, limiter: Limiter(2), policy: retries, observer: observer)
  }

  /// A token that is good for a while.
  /// - Throws: `OpenStackError`; `CancellationError`.
  package func token(deadline: ContinuousClock.Instant) async throws -> Token {
    try await token(deadline: deadline, refused: nil)
  }

  /// Another token than `refused`, which a service did not accept. Whoever else has brought a new one meanwhile has
  /// done the work for all.
  package func token(insteadOf refused: Token, deadline: ContinuousClock.Instant) async throws -> Token {
    try await token(deadline: deadline, refused: refused.secret)
  }

  private func token(deadline: ContinuousClock.Instant, refused: Secret?) async throws -> Token {
    let time = now()
    let (ready, flight, isMine) = state.withLock { state -> (Token?, Promise<Token>, Bool) in
      if let token = state.token, token.secret == refused { state.token = nil }
      let ready = state.token.flatMap { time < $0.end ? $0 : nil }
      if let flight = state.flight { return (ready, flight, false) }
      let flight = Promise<Token>()
      let isResting = ready != nil && state.resting.map { time < $0 } ?? false
      guard ready.map({ time >= $0.renewal }) ?? true, !isResting else { return (ready, flight, false) }
      state.flight = flight
      return (ready, flight, true)
    }
    if isMine { begin(flight) }
    if let ready { return ready }
    do { return try await flight.value(deadline: deadline) } catch is WaitTimeout {
      throw OpenStackError(nil, .timedOut, "no token in time")
    }
  }

  /// In a task of its own: a caller that goes away must not take the token from the others.
  private func begin(_ flight: Promise<Token>) {
    Task.detached { [self] in
      let result: Result<Token, any Error>
      do { result = .success(try await authenticate()) } catch { result = .failure(error) }
      let time = now()
      state.withLock { state in
        state.flight = nil
        switch result {
        case .success(let token):
          state.token = token
          state.resting = nil
        case .failure: state.resting = time + Self.rest
        }
      }
      flight.settle(result)
    }
  }

  private func authenticate() async throws -> Token {
    let deadline = ContinuousClock.now + Self.patience
    let request = Authentication.request(
      cloud.identity, scope: cloud.scope, identityURL: try await identityURL(deadline: deadline))
    // Repeating it makes a second token at worst.
    let response = try await courier.deliver(
      request, name: "keystone_token_create", service: nil, isRepeatable: true, deadline: deadline)
    guard response.status == 201 || response.status == 200 else {
      throw OpenStackError(nil, response, secrets: cloud.identity.secrets)
    }
    do { return try Token(response, received: now()) } catch let error as JSONError {
      throw OpenStackError(nil, .malformed, "the answer is no token: \(error)")
    }
  }

  /// The address of version 3: as configured, or asked once at the root.
  private func identityURL(deadline: ContinuousClock.Instant) async throws -> ServiceAddress {
    if let known = state.withLock({ $0.identityURL }) { return known }
    guard let address = ServiceAddress(cloud.authURL) else {
      throw OpenStackError(nil, .transport(.badAddress("auth_url")), "auth_url is no http address")
    }
    let url = try await resolved(address, deadline: deadline)
    state.withLock { $0.identityURL = url }
    return url
  }

  private func resolved(_ address: ServiceAddress, deadline: ContinuousClock.Instant) async throws -> ServiceAddress {
    if let index = address.versionIndex {
      // `/v2.0` stands in old configurations; the same server has version 3 beside it.
      return address.dropping(last: address.path.count - index).appending("v3")
    }
    let request = HTTPRequest(
      .get, "\(address)/", headers: [HTTPHeader("Accept", "application/json")], responseLimit: 1 << 20)
    let response = try await courier.deliver(
      request, name: "keystone_version_list", service: nil, isRepeatable: true, deadline: deadline)
    guard response.status == 200 || response.status == 300 else { throw OpenStackError(nil, response) }
    do {
      return try Authentication.identityURL(root: address, discovery: JSON(parsing: response.body))
    } catch let error as JSONError {
      throw OpenStackError(nil, .malformed, "the answer at auth_url is no list of versions: \(error)")
    }
  }
}
