import Glibc
import HTTP

/// An authority with certificates for a server at 127.0.0.1 and for a client, made by openssl.
struct TestAuthority: Sendable {
  let scratch: Scratch

  /// - Parameter days: how long the server's certificate holds; negative: it has run out.
  init(days: Int = 2) throws {
    scratch = try Scratch()
    try key("ca", "req", "-x509", "-days", "3", "-subj", "/CN=Test authority")
    try scratch.write("subjectAltName=IP:127.0.0.1\n", to: "server.ext")
    try scratch.write("extendedKeyUsage=clientAuth\n", to: "client.ext")
    try signed("server", days: days)
    try signed("client", days: 2)
    try scratch.write("what nghttpd serves\n", to: "file")
  }

  var file: TLSOptions { TLSOptions(authorityFile: scratch["ca.pem"]) }

  func remove() { scratch.remove() }

  private func key(_ name: String, _ request: String...) throws {
    try openssl(
      request + [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", scratch["\(name).key"], "-out",
        scratch["\(name).pem"],
      ])
  }

  private func signed(_ name: String, days: Int) throws {
    try key(name, "req", "-subj", "/CN=\(name)")
    try openssl([
      "x509", "-req", "-in", scratch["\(name).pem"], "-CA", scratch["ca.pem"], "-CAkey", scratch["ca.key"],
      "-CAcreateserial", "-days", "\(days)", "-extfile", scratch["\(name).ext"], "-out", scratch["\(name).signed"],
    ])
    guard rename(scratch["\(name).signed"], scratch["\(name).pem"]) == 0 else { throw TestFailure("rename: \(errno)") }
  }

  private func openssl(_ arguments: [String]) throws {
    guard try Program(["openssl"] + arguments, output: scratch["log"]).wait() == 0 else {
      throw TestFailure("openssl \(arguments.first ?? ""): \(try scratch.text("log"))")
    }
  }

  /// OpenSSL's server, which answers with what it knows of the connection.
  func server(_ options: String...) throws -> RunningServer { try server(options) }

  func server(_ options: [String]) throws -> RunningServer {
    try RunningServer { port in
      try Program(
        ["openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-www"] + options
          + ["-cert", scratch["server.pem"], "-key", scratch["server.key"]], output: scratch["log"])
    }
  }

  /// nghttp2's server: HTTP/2 by ALPN, of the files in the scratch directory.
  func http2() throws -> RunningServer {
    try RunningServer { port in
      try Program(
        ["nghttpd", "-a", "127.0.0.1", "-d", scratch.path, "\(port)", scratch["server.key"], scratch["server.pem"]],
        output: scratch["log"])
    }
  }
}

/// A program that listens on a port of 127.0.0.1.
struct RunningServer: Sendable {
  let port: Int
  let process: pid_t

  /// Starts it on a free port; again when somebody else was faster to take it.
  init(_ start: (Int) throws -> Program) throws {
    for _ in 0..<10 {
      let (descriptor, port) = try Loopback.listener()
      close(descriptor)
      let program = try start(port)
      if Self.listens(port, program.process) {
        self.port = port
        process = program.process
        return
      }
      program.stop()
    }
    throw TestFailure("the server does not start")
  }

  var url: String { "https://127.0.0.1:\(port)" }

  func stop() {
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
  }

  /// By the kernel's table: a connection to a port that nobody listens on yet may meet itself (simultaneous open), and
  /// another's server may have been faster to take the port.
  private static func listens(_ port: Int, _ process: pid_t) -> Bool {
    for _ in 0..<3000 {
      if let inode = Loopback.inode(listeningOn: port), holds(process, socket: inode) { return true }
      var information = siginfo_t()
      let hasEnded =
        waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) == 0
        && information.si_signo == SIGCHLD
      if hasEnded { return false }
      usleep(10_000)
    }
    return false
  }

  private static func holds(_ process: pid_t, socket inode: Substring) -> Bool {
    (0..<64).contains { descriptor in
      var buffer = [CChar](repeating: 0, count: 64)
      let length = readlink("/proc/\(process)/fd/\(descriptor)", &buffer, buffer.count - 1)
      guard length > 0 else { return false }
      return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) == "socket:[\(inode)]"
    }
  }
}
