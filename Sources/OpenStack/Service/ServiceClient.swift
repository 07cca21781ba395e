import HTTP
import JSONText
import Synchronization

/// Sends requests to one service of one cloud as one user.
package final class ServiceClient: Sendable {
  package struct Limits: Sendable, Hashable {
    /// How many requests to the service are under way at a time.
    package var parallel = 16
    package var retries = RetryPolicy()
    package init() {}
  }

  package let service: ServiceKind
  package let session: Session
  private let courier: Courier
  private let state = Mutex(State())

  private struct State {
    var endpoint: ServiceEndpoint?
    var flight: Promise<ServiceEndpoint>?
    /// The service's clock less ours, as of its last answer, in seconds.
    var clock: (instant: ContinuousClock.Instant, time: Double)?
  }

  package init(
    _ service: ServiceKind, session: Session, limits: Limits = Limits(), observer: (any RequestObserver)? = nil
  ) {
    self.service = service
    self.session = session
    courier = Courier(
      transport: session.transport, limiter: Limiter(limits.parallel), policy: limits.retries, observer: observer)
  }

  /// Sends a request and reads its answer.
  /// - Throws: `OpenStackError`; `CancellationError`.
  package func send<Answer>(
    _ request: ServiceRequest<Answer>, deadline: ContinuousClock.Instant
  ) async throws -> Answer {
    var token = try await session.token(deadline: deadline)
    let response: HTTPResponse
    if let accepted = try await accepted(request, token, deadline) {
      response = accepted
    } else {
      // Revoked, or ended by the service's clock. A second refusal is the answer.
      token = try await session.token(insteadOf: token, deadline: deadline)
      response = try await deliver(request, token, deadline)
    }
    guard (200..<300).contains(response.status) else { throw await failure(request, response, token) }
    do { return try request.read(response) } catch let error as JSONError {
      throw OpenStackError(
        service, .malformed, "the answer to \(request.name) is not what the API promises: \(error)",
        requestID: OpenStackError.requestID(response))
    }
  }

  /// The microversion that a request would be sent with; nil when the service does not tell what it has.
  package func microversion(
    for need: MicroversionNeed, deadline: ContinuousClock.Instant
  ) async throws -> Microversion? {
    let token = try await session.token(deadline: deadline)
    let endpoint = try await endpoint(token, deadline)
    guard let range = endpoint.range else { return nil }
    return need.choose(from: range, atMost: session.cloud.microversions[service])
  }

  /// What the service's clock shows at a moment, in seconds since 1970, by its last answer; nil before the first.
  package func serviceTime(at instant: ContinuousClock.Instant) -> Double? {
    state.withLock { state in state.clock.map { $0.time + ($0.instant.duration(to: instant) / .seconds(1)) } }
  }

  /// The answer, or nil when the token was refused.
  private func accepted<Answer>(
    _ request: ServiceRequest<Answer>, _ token: Token, _ deadline: ContinuousClock.Instant
  ) async throws -> HTTPResponse? {
    do {
      let response = try await deliver(request, token, deadline)
      return response.status == 401 ? nil : response
    } catch let error as OpenStackError where error.service == service && error.status == 401 {
      return nil
    }
  }

  private func deliver<Answer>(
    _ request: ServiceRequest<Answer>, _ token: Token, _ deadline: ContinuousClock.Instant
  ) async throws -> HTTPResponse {
    let endpoint = try await endpoint(token, deadline)
    let version = try request.microversion.map { try agreed($0, request.name, endpoint) }
    let response = try await courier.deliver(
      request.httpRequest(
        base: endpoint.base(service, projectID: token.projectID), token: token.secret, version: version),
      name: request.name, service: service, isRepeatable: request.isRepeatable, deadline: deadline)
    if let time = response[header: "Date"].flatMap({ ServiceTime.seconds(httpDate: $0) }) {
      state.withLock { $0.clock = (.now, time) }
    }
    return response
  }

  private func agreed(_ need: MicroversionNeed, _ name: String, _ endpoint: ServiceEndpoint) throws -> Microversion {
    let limit = session.cloud.microversions[service]
    guard let range = endpoint.range else { return need.floor }
    if let version = need.choose(from: range, atMost: limit) { return version }
    let configured = limit.map { ", and the configuration allows \($0) at most" } ?? ""
    throw OpenStackError(
      service, .notOffered,
      "\(name) needs microversion \(need.floor) or newer; the service offers \(range.minimum) to \(range.maximum)"
        + configured)
  }

  private func failure<Answer>(
    _ request: ServiceRequest<Answer>, _ response: HTTPResponse, _ token: Token
  ) async -> OpenStackError {
    var error = OpenStackError(service, response, secrets: [token.secret.reveal()])
    if response.status == 406 {
      // The service may have been exchanged since it was asked: ask anew the next time.
      let range = state.withLock { state in
        defer { state.endpoint = nil }
        return state.endpoint?.range
      }
      let offered =
        range.map { "it said that it offers \($0.minimum) to \($0.maximum)" } ?? "it does not say what it offers"
      error.message = "\(request.name): the service does not take the microversion; \(offered). \(error.message)"
    }
    return error
  }

  /// The endpoint that the token's catalogue or the configuration gives, with its microversions asked once.
  private func endpoint(_ token: Token, _ deadline: ContinuousClock.Instant) async throws -> ServiceEndpoint {
    let address = try address(token)
    let (ready, flight, isMine) = state.withLock { state -> (ServiceEndpoint?, Promise<ServiceEndpoint>, Bool) in
      if let endpoint = state.endpoint, endpoint.address == address { return (endpoint, Promise(), false) }
      if let flight = state.flight { return (nil, flight, false) }
      let flight = Promise<ServiceEndpoint>()
      state.flight = flight
      return (nil, flight, true)
    }
    if let ready { return ready }
    if isMine { begin(flight, address, token) }
    do { return try await flight.value(deadline: deadline) } catch is WaitTimeout {
      throw OpenStackError(service, .timedOut, "the service's versions were not known in time")
    }
  }

  private func address(_ token: Token) throws -> ServiceAddress {
    guard let text = session.cloud.endpoints[service] else {
      return try token.catalogue.address(of: service, interface: session.cloud.interface, region: session.cloud.region)
    }
    let project = ServiceAddress.encoded(token.projectID ?? "")
    let filled = text.replacing("%(project_id)s", with: project).replacing("$(project_id)s", with: project)
    guard let address = ServiceAddress(filled) else {
      throw OpenStackError(service, .notOffered, "the configured address of \(service.project) is no http address")
    }
    return address
  }

  private func begin(_ flight: Promise<ServiceEndpoint>, _ address: ServiceAddress, _ token: Token) {
    Task.detached { [self] in
      let result: Result<ServiceEndpoint, any Error>
      do { result = .success(try await discover(address, token)) } catch { result = .failure(error) }
      state.withLock { state in
        state.flight = nil
        if case .success(let endpoint) = result { state.endpoint = endpoint }
      }
      flight.settle(result)
    }
  }

  private func discover(_ address: ServiceAddress, _ token: Token) async throws -> ServiceEndpoint {
    let headers = [HTTPHeader("X-Auth-Token", token.secret.reveal()), HTTPHeader("Accept", "application/json")]
    let root = ServiceEndpoint.root(address, service)
    let request = HTTPRequest(.get, "\(root)/", headers: headers, responseLimit: 1 << 20)
    let response = try await courier.deliver(
      request, name: "\(service.project.lowercased())_version_get", service: service, isRepeatable: true,
      deadline: .now + Session.patience)
    switch response.status {
    case 200, 300:
      let json = try? JSON(parsing: response.body)
      return ServiceEndpoint(address: address, range: json.flatMap { ServiceEndpoint.range($0, service) })
    // Some proxies let nothing through but the paths below the project.
    case 400..<500 where ![401, 413, 429].contains(response.status):
      return ServiceEndpoint(address: address, range: nil)
    default: throw OpenStackError(service, response, secrets: [token.secret.reveal()])
    }
  }
}
