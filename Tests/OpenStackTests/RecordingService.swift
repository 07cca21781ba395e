import HTTP
import JSONText
import Synchronization

@testable import OpenStack

/// A transport that answers by itself and remembers what it was asked, for faults that real services cannot be made to
/// show, and for counting.
final class RecordingService: HTTPTransport {
  typealias Answer = @Sendable (HTTPRequest) async throws -> HTTPResponse

  private struct State {
    var requests: [HTTPRequest] = []
    var running = 0
    var mostRunning = 0
  }
  private let state = Mutex(State())
  private let answer: Answer

  init(_ answer: @escaping Answer) { self.answer = answer }

  func send(_ request: HTTPRequest, deadline: ContinuousClock.Instant) async throws -> HTTPResponse {
    state.withLock {
      $0.requests.append(request)
      $0.running += 1
      $0.mostRunning = max($0.mostRunning, $0.running)
    }
    defer { state.withLock { $0.running -= 1 } }
    return try await answer(request)
  }

  var requests: [HTTPRequest] { state.withLock { $0.requests } }
  var mostRunning: Int { state.withLock { $0.mostRunning } }

  /// How many requests have this method and, after the host, a path that begins so.
  func count(_ method: HTTPRequest.Method, _ path: String) -> Int {
    requests.count { $0.method == method && $0.path.hasPrefix(path) }
  }
}

extension HTTPRequest {
  /// From the first slash after the host, query included.
  var path: String { String(url.drop { $0 != "/" }.dropFirst(2).drop { $0 != "/" }) }
  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  var json: JSON? { body.flatMap { try? JSON(parsing: $0) } }
}

extension HTTPResponse {
  init(_ status: Int, _ json: JSON? = nil, headers: [String: String] = [:]) {
    self.init(
      status: status, headers: headers.sorted { $0.key < $1.key }.map { HTTPHeader($0.key, $0.value) },
      body: json.map { Array($0.text.utf8) } ?? [])
  }
}

/// Holds an answer back until it is opened.
final class Gate: Sendable {
  private let promise = Promise<Void>()
  func open() { promise.settle(.success(())) }
  func wait() async throws { try await promise.value() }
}

extension ContinuousClock.Instant {
  static func soon(_ seconds: Double = 30) -> Self { .now + .seconds(seconds) }
}

/// Counts, from 1.
final class Counter: Sendable {
  private let value = Mutex(0)
  func next() -> Int {
    value.withLock { value in
      value += 1
      return value
    }
  }
  var now: Int { value.withLock { $0 } }
}
