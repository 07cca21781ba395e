import Glibc
import Synchronization

/// A small HTTP/1.1 server for /metrics and /healthz on TCP: one thread, one poll loop, GET and HEAD, a connection for
/// each request. Everything a stranger can do to it is bounded: connections, header bytes, and the time of each stage.
package final class HTTPServer: Sendable {
  package struct Limits: Sendable {
    package var connections = 32
    /// Milliseconds that a client has to send its request, and again to take the answer.
    package var clientMilliseconds: Int64 = 5_000
    /// Milliseconds that a handler has before the client gets 503.
    package var handlerMilliseconds: Int64 = 15_000
    package init() {}
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

  /// The port that is listened on, also when 0 was asked for.
  package let port: UInt16
  private let listener: Int32
  /// One end of a socket pair: a byte written here wakes the loop when an answer is ready or the server stops.
  private let wake: Int32
  private let mailbox = Mailbox()

  /// Binds, listens and starts the thread.
  /// - Parameter address: `host:port`, `[v6]:port` or `:port` for all addresses.
  /// - Throws: `Failure` when the address cannot be served.
  package init(address: String, limits: Limits = Limits(), handler: @escaping Handler) throws {
    (listener, port) = try Self.listen(on: address)
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else {
      let problem = errno
      close(listener)
      throw Failure(description: "socketpair: \(String(cString: strerror(problem)))")
    }
    wake = pair[0]
    let loop = HTTPLoop(
      listener: listener, wake: (pair[0], pair[1]), limits: limits, mailbox: mailbox, handler: handler)
    var thread = pthread_t()
    let context = Unmanaged.passRetained(loop)
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<HTTPLoop>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard result == 0 else {
      context.release()
      close(listener)
      close(pair[0])
      close(pair[1])
      throw Failure(description: "no thread for HTTP: \(String(cString: strerror(result)))")
    }
    pthread_detach(thread)
  }

  /// Stops listening and drops what is under way. Safe to call twice.
  package func stop() {
    mailbox.stop(waking: wake)
  }

  private static func listen(on address: String) throws -> (descriptor: Int32, port: UInt16) {
    guard let colon = address.lastIndex(of: ":") else { throw Failure(description: "\(address) is not host:port") }
    let service = String(address[address.index(after: colon)...])
    let host = address[..<colon].trimming("[", "]")
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host.isEmpty ? nil : host, service, &hints, &found)
    guard status == 0 else { throw Failure(description: "\(address): \(String(cString: gai_strerror(status)))") }
    defer { freeaddrinfo(found) }
    var problem: Int32 = EADDRNOTAVAIL
    var next = found
    while let candidate = next?.pointee {
      next = candidate.ai_next
      let descriptor = socket(
        candidate.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
      guard descriptor >= 0 else {
        problem = errno
        continue
      }
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
      if bind(descriptor, candidate.ai_addr, candidate.ai_addrlen) == 0, Glibc.listen(descriptor, 16) == 0 {
        return (descriptor, boundPort(descriptor))
      }
      problem = errno
      close(descriptor)
    }
    throw Failure(description: "cannot listen on \(address): \(String(cString: strerror(problem)))")
  }

  /// The port in network order lies at the same place for both families.
  private static func boundPort(_ descriptor: Int32) -> UInt16 {
    var storage = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
    }
    return UInt16(bigEndian: storage.sin6_port)
  }
}

/// Answers on their way from handlers to the loop.
final class Mailbox: Sendable {
  private struct State {
    var answers: [(connection: UInt64, response: HTTPResponse)] = []
    var isStopped = false
    /// The loop has closed the descriptor: its number may belong to somebody else now.
    var isClosed = false
  }

  private let state = Mutex(State())

  func deliver(_ response: HTTPResponse, to connection: UInt64, waking descriptor: Int32) {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.answers.append((connection, response))
      Self.wake(descriptor)
    }
  }

  func stop(waking descriptor: Int32) {
    state.withLock { state in
      state.isStopped = true
      if !state.isClosed { Self.wake(descriptor) }
    }
  }

  func take() -> (answers: [(connection: UInt64, response: HTTPResponse)], isStopped: Bool) {
    state.withLock { state in
      defer { state.answers = [] }
      return (state.answers, state.isStopped)
    }
  }

  /// Runs `body`, which closes the descriptor, with nobody writing to it.
  func close(_ body: () -> Void) {
    state.withLock { state in
      state.isClosed = true
      body()
    }
  }

  /// A full buffer means that the loop is being woken already.
  private static func wake(_ descriptor: Int32) {
    var byte: UInt8 = 1
    _ = send(descriptor, &byte, 1, Int32(MSG_NOSIGNAL))
  }
}

extension Substring {
  fileprivate func trimming(_ first: Character, _ last: Character) -> String {
    hasPrefix(String(first)) && hasSuffix(String(last)) ? String(dropFirst().dropLast()) : String(self)
  }
}
