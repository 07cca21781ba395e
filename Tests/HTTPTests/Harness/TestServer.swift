import Glibc
import Synchronization

/// A TCP server on the loopback whose connections are scripts, one thread each, so that it can do what no server may.
final class TestServer: Sendable {
  typealias Script = @Sendable (TestConnection) -> Void

  struct Counts: Sendable {
    var connections = 0
    /// Connections whose script has ended.
    var ended = 0
    /// Requests that are being answered now, and the most there were at one time.
    var busy = 0
    var mostBusy = 0
    var requests: [TestRequest] = []
    /// Bytes that a relay has passed on, to and fro.
    var relayed = 0
  }

  let port: Int
  private let listener: Int32
  private let counts = Mutex(Counts())
  private let open = Mutex<Set<Int32>>([])

  init(_ script: @escaping Script) throws {
    (listener, port) = try Loopback.listener()
    Loopback.thread { [self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        if descriptor < 0 { break }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        Loopback.limitWaits(descriptor)
        let index = note { counts in
          counts.connections += 1
          return counts.connections
        }
        open.withLock { _ = $0.insert(descriptor) }
        Loopback.thread { [self] in
          script(TestConnection(descriptor: descriptor, index: index, server: self))
          open.withLock { _ = $0.remove(descriptor) }
          Glibc.close(descriptor)
          note { $0.ended += 1 }
        }
      }
      Glibc.close(listener)
    }
  }

  /// Answers every request with its own method and path.
  static func echo() throws -> TestServer {
    try TestServer { connection in
      while let request = connection.request() { connection.answer(request.line) }
    }
  }

  var url: String { "http://127.0.0.1:\(port)" }
  var seen: Counts { counts.withLock { $0 } }

  @discardableResult
  func note<T: Sendable>(_ change: @Sendable (inout Counts) -> T) -> T { counts.withLock { change(&$0) } }

  /// Ends the listener and all connections.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    cut()
  }

  /// Ends the connections that there are.
  func cut() {
    open.withLock { for descriptor in $0 { shutdown(descriptor, Int32(SHUT_RDWR)) } }
  }
}

struct TestRequest: Sendable, Hashable {
  /// The request line and the headers, in lines.
  var head: [String]
  var body: [UInt8]

  /// `GET /path`
  var line: String { head.first.map { String($0.split(separator: " ").prefix(2).joined(separator: " ")) } ?? "" }

  /// All values of a header.
  func values(_ name: String) -> [String] {
    head.dropFirst().filter { $0.lowercased().hasPrefix("\(name.lowercased()):") }.map {
      String($0.dropFirst(name.count + 1).drop { $0 == " " })
    }
  }
}

struct TestConnection: Sendable {
  let descriptor: Int32
  /// 1 for the server's first.
  let index: Int
  let server: TestServer

  /// The next request, or nil at the end.
  func request() -> TestRequest? {
    var head: [UInt8] = []
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      guard let byte = read(1)?.first else { return nil }
      head.append(byte)
    }
    let lines = String(decoding: head.dropLast(4), as: UTF8.self).split(separator: "\r\n").map(String.init)
    var request = TestRequest(head: lines, body: [])
    if let length = request.values("Content-Length").first.flatMap({ Int($0) }), length > 0 {
      guard let body = read(length) else { return nil }
      request.body = body
    }
    let whole = request
    server.note { $0.requests.append(whole) }
    return request
  }

  /// Exactly `count` bytes, or nil when the connection ends before.
  func read(_ count: Int) -> [UInt8]? {
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(count, 1 << 16))
    while result.count < count {
      let length = recv(descriptor, &buffer, min(buffer.count, count - result.count), 0)
      guard length > 0 else { return nil }
      result += buffer.prefix(length)
    }
    return result
  }

  /// What cannot be sent is dropped.
  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if sent <= 0 { return }
      rest = rest.dropFirst(sent)
    }
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func answer(_ body: String, status: String = "200 OK", headers: String = "") {
    send("HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  /// Waits until the other side ends the connection.
  func awaitEnd() { while read(1) != nil {} }

  /// Ends the connection with RST.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}
