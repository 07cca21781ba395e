import Glibc

@testable import GRPC

/// A connection that speaks HTTP/2 (RFC 9113) by hand, so that it can also break its rules.
struct RawConnection: Sendable {
  private let descriptor: Int32

  init(_ endpoint: Endpoint) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard Self.withAddress(endpoint, { connect(descriptor, $0, $1) }) == 0 else {
      throw EndpointError("connect: \(systemError())")
    }
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Binds a socket and dies without removing it.
  static func leaveStaleSocket(at endpoint: Endpoint) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    defer { Glibc.close(descriptor) }
    guard withAddress(endpoint, { bind(descriptor, $0, $1) }) == 0 else {
      throw EndpointError("bind: \(systemError())")
    }
  }

  private static func withAddress(
    _ endpoint: Endpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: endpoint.path.utf8) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  func close() { Glibc.close(descriptor) }

  /// The peer may hang up meanwhile: what cannot be sent is dropped.
  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if sent <= 0 { return }
      rest = rest.dropFirst(sent)
    }
  }

  func preface() {
    send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
    frame(4, flags: 0, stream: 0, [])
  }

  func frame(_ kind: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) {
    send(Self.frame(kind, flags: flags, stream: stream, payload))
  }

  /// Makes a call; the first on a connection begins with the preface.
  func call(_ path: String, message: [UInt8], stream: UInt32, authority: String = "localhost") {
    if stream == 1 { preface() }
    send(Self.bytes(ofCall: path, message: message, stream: stream, authority: authority))
  }

  /// Whether `text` comes in before the connection ends or nothing more comes.
  func receives(_ text: String) -> Bool {
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while received.firstRange(of: Array(text.utf8)) == nil {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count <= 0 { return false }
      received += buffer.prefix(count)
    }
    return true
  }

  static func bytes(
    ofCall path: String, message: [UInt8], stream: UInt32, authority: String = "localhost"
  ) -> [UInt8] {
    frame(1, flags: 0x4, stream: stream, headers(path, authority: authority))
      + frame(0, flags: 0x1, stream: stream, [0] + bigEndian(UInt32(message.count)) + message)
  }

  static func headers(_ path: String, authority: String = "localhost") -> [UInt8] {
    let fields = [
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority), ("te", "trailers"),
      ("content-type", "application/grpc"),
    ]
    var block: [UInt8] = []
    for (name, value) in fields {
      // RFC 7541 6.2.2: a literal field without indexing, both strings plain.
      block.append(0)
      for text in [name, value] {
        block.append(UInt8(text.utf8.count))
        block += text.utf8
      }
    }
    return block
  }

  private static func frame(_ kind: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let length = bigEndian(UInt32(payload.count)).dropFirst()
    return Array(length) + [kind, flags] + bigEndian(stream) + payload
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
