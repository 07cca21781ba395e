import ArgumentParser
import CSI
import GRPC
import Glibc
import Host

/// The yardstick for the handler chain: the same transport and codec, and a handler that only answers.
struct BareServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bare", abstract: "Serves Probe without logs, metrics or redaction, until it is killed.")
  @OptionGroup var target: Target

  func run() async throws {
    let probe = Methods.probe
    let route = Route.unary(probe.path, Codec<ProbeRequest>.csi, Codec<ProbeResponse>.csi, dispatch: .inline) { _, _ in
      ProbeResponse(ready: true)
    }
    let server = Server(routes: [route], pool: ThreadPool(name: "bare", threads: 1))
    try server.start(on: Endpoint(parsing: target.endpoint))
    try await Task.sleep(for: .seconds(86_400))
  }
}

/// Probe over one connection.
struct Probes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "probe", abstract: "Calls Probe over one connection.")
  @OptionGroup var target: Target
  @Option var concurrency = 1
  @Option var seconds = 1.5

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    _ = try await repeated(.times(50), concurrency: concurrency) { _, _ in
      _ = try await socket.call(Methods.probe, ProbeRequest())
    }
    let samples = try await repeated(.seconds(seconds), concurrency: concurrency) { _, _ in
      _ = try await socket.call(Methods.probe, ProbeRequest())
    }
    socket.close()
    report(samples.json("probe"))
  }
}

/// A connection for each Probe, as kubelet makes them.
struct Connections: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "connect", abstract: "Connects, calls Probe and closes, again and again.")
  @OptionGroup var target: Target
  @Option var seconds = 1.5

  func run() async throws {
    let endpoint = target.endpoint
    let samples = try await repeated(.seconds(seconds), concurrency: 1) { _, _ in
      let socket = try CSISocket(endpoint)
      _ = try await socket.call(Methods.probe, ProbeRequest())
      socket.close()
    }
    report(samples.json("connect"))
  }
}

/// From exec of the server to its first answer.
struct FirstAnswer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "first", abstract: "Starts a server again and again and waits for its first answer to Probe.")
  @OptionGroup var target: Target
  @Option var runs = 15
  @Argument(parsing: .captureForPassthrough, help: "The server's command line.")
  var command: [String]

  func run() async throws {
    var samples = Samples()
    for _ in 0..<runs {
      let begun = ContinuousClock().now
      let pid = try spawn(command)
      try awaitListener(at: Endpoint(parsing: target.endpoint).path)
      let socket = try CSISocket(target.endpoint)
      _ = try await socket.call(Methods.probe, ProbeRequest())
      samples.add(ContinuousClock().now - begun)
      socket.close()
      kill(pid, SIGTERM)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
    report(samples.json("first"))
  }
}

struct BenchError: Error, CustomStringConvertible {
  let description: String
}

private func spawn(_ command: [String]) throws -> pid_t {
  var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
  defer { arguments.forEach { free($0) } }
  var pid: pid_t = 0
  guard let program = command.first else { throw BenchError(description: "no command to start") }
  let error = posix_spawn(&pid, program, nil, nil, &arguments, environ)
  guard error == 0 else {
    throw BenchError(description: "cannot start \(command): \(String(cString: strerror(error)))")
  }
  return pid
}

/// Looks every 100 us whether somebody listens on a socket, at most 10 s.
private func awaitListener(at path: String) throws {
  for _ in 0..<100_000 {
    if connects(to: path) { return }
    usleep(100)
  }
  throw BenchError(description: "nobody listens at \(path)")
}

private func connects(to path: String) -> Bool {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
    }
  }
}
