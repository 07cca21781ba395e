import Glibc

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Sockets on 127.0.0.1 and threads that may block on them.
enum Loopback {
  static func listener(backlog: Int32 = 128) throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard withAddress(0, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, backlog) == 0 else {
      throw TestFailure("no socket to listen on: \(errno)")
    }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// The socket that listens on a port of 127.0.0.1 or of all addresses (proc(5), /proc/net/tcp); nil when none does.
  static func inode(listeningOn port: Int) -> Substring? {
    let wanted = String(port, radix: 16, uppercase: true)
    let suffix = ":" + String(repeating: "0", count: 4 - wanted.count) + wanted
    guard let file = fopen("/proc/net/tcp", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = text.split(separator: " ")
      // State 0A: listening.
      if fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" { return fields[9] }
    }
    return nil
  }

  /// nil when nobody listens.
  static func connection(to port: Int) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard withAddress(port, { connect(descriptor, $0, $1) }) == 0 else {
      close(descriptor)
      return nil
    }
    limitWaits(descriptor)
    return descriptor
  }

  static func limitWaits(_ descriptor: Int32) {
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func thread(_ run: @escaping @Sendable () -> Void) { pthread_detach(start(run)) }

  private static func start(_ run: @escaping @Sendable () -> Void) -> pthread_t {
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, Unmanaged.passRetained(Body(run)).toOpaque())
    precondition(result == 0, "no thread")
    return thread
  }

  /// Passes bytes on between a connection and a port, both ways, until both are done.
  static func relay(_ connection: TestConnection, to port: Int) {
    guard let other = Self.connection(to: port) else { return }
    defer { close(other) }
    let onward = TestConnection(descriptor: other, index: 0, server: connection.server)
    let back = start { pump(onward, connection) }
    pump(connection, onward)
    pthread_join(back, nil)
  }

  private static func pump(_ from: TestConnection, _ to: TestConnection) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(from.descriptor, &buffer, buffer.count, 0)
      if count <= 0 { break }
      to.send(Array(buffer.prefix(count)))
      from.server.note { $0.relayed += count }
    }
    shutdown(to.descriptor, Int32(SHUT_WR))
  }
}

/// Waits until something becomes true: for at most half a minute.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
  for _ in 0..<6000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return false
}
