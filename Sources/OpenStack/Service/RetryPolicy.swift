import HTTP

/// When a request is sent again, and how long after: a decision on values alone.
package struct RetryPolicy: Sendable, Hashable {
  /// How often a request is sent at most.
  package var attempts = 5
  /// The first pause; each further one is twice as long.
  package var pause = Duration.milliseconds(250)
  package var longestPause = Duration.seconds(8)

  package init() {}

  /// - Parameters:
  ///   - isRepeatable: to do it twice is the same as to do it once.
  ///   - attempt: from 1.
  ///   - random: from 0 to 1, so that many clients do not come back together.
  /// - Returns: the pause, or nil when the outcome stands.
  package func pause(
    after outcome: Result<HTTPResponse, HTTPError>, isRepeatable: Bool, attempt: Int, random: Double
  ) -> Duration? {
    guard attempt < attempts else { return nil }
    let doubled = min(longestPause, pause * (1 << min(attempt - 1, 16)))
    let backOff = doubled * (0.5 + random / 2)
    switch outcome {
    case .failure(.unreachable), .failure(.timedOut(sent: false)): return backOff
    case .failure(.cut), .failure(.timedOut): return isRepeatable ? backOff : nil
    case .failure: return nil
    case .success(let response):
      guard [408, 413, 429, 502, 503, 504].contains(response.status) else { return nil }
      if [413, 429, 503].contains(response.status), let wait = RetryAfter.duration(response) {
        // A quota does not come back by waiting, though Cinder sends "Retry-After: 0" with it.
        if OpenStackError(nil, response).kind == .quota { return nil }
        return max(wait * (1 + random / 10), backOff)
      }
      return isRepeatable && response.status != 413 ? backOff : nil
    }
  }
}

/// Told of every request that went to a service; the metrics come from here.
package protocol RequestObserver: Sendable {
  /// - Parameters:
  ///   - request: what was asked, such as `cinder_volume_create`.
  ///   - failed: no answer, or one with a status from 400.
  func requestEnded(_ request: String, seconds: Double, failed: Bool)
}

/// Sends one request as often as the policy says.
struct Courier: Sendable {
  let transport: any HTTPTransport
  let limiter: Limiter
  let policy: RetryPolicy
  let observer: (any RequestObserver)?

  /// - Throws: `OpenStackError` without an answer; `CancellationError`.
  func deliver(
    _ request: HTTPRequest, name: String, service: ServiceKind?, isRepeatable: Bool, deadline: ContinuousClock.Instant
  ) async throws -> HTTPResponse {
    var attempt = 1
    while true {
      let outcome = try await once(request, name, service, deadline)
      let pause = policy.pause(
        after: outcome, isRepeatable: isRepeatable, attempt: attempt, random: .random(in: 0...1))
      guard let pause, .now + pause < deadline else {
        switch outcome {
        case .success(let response): return response
        case .failure(let error): throw OpenStackError(service, .transport(error), error.description)
        }
      }
      try await Task.sleep(for: pause)
      attempt += 1
    }
  }

  private func once(
    _ request: HTTPRequest, _ name: String, _ service: ServiceKind?, _ deadline: ContinuousClock.Instant
  ) async throws -> Result<HTTPResponse, HTTPError> {
    do {
      return .success(
        try await limiter.run(deadline: deadline) {
          let start = ContinuousClock.now
          var failed = true
          defer { observer?.requestEnded(name, seconds: (.now - start) / .seconds(1), failed: failed) }
          let response = try await transport.send(request, deadline: deadline)
          failed = response.status >= 400
          return response
        })
    } catch let error as HTTPError {
      return .failure(error)
    } catch is WaitTimeout {
      throw OpenStackError(service, .timedOut, "too many requests were waiting before this one")
    }
  }
}
