import ArgumentParser
import CSI
import Configuration
import GRPC
import Glibc

/// How `stowage` ends, for scripts.
package enum ExitStatus: Int32, Sendable {
  case success = 0
  /// The driver answered with an error, or something failed here.
  case failure = 1
  /// The arguments or the configuration make no sense.
  case usage = 2
  /// Nobody answers at the endpoint.
  case unreachable = 3
}

/// A sub-command that makes one RPC.
protocol RPCCommand: AsyncParsableCommand {
  associatedtype Request: CSIMessage
  associatedtype Response: CSIMessage
  static var method: Method<Request, Response> { get }
  var connection: ConnectionOptions { get }
  /// The request that the arguments describe.
  /// - Throws: `ValidationError` when they contradict each other.
  func request(environment: [String: String]) throws -> Request
}

extension RPCCommand {
  mutating func run() async throws {
    let environment = Configuration.processEnvironment
    let request = try request(environment: environment)
    let output = connection.output
    try await connection.withClient(environment) { client in
      guard Self.method.isStreaming else {
        Presentation.show(try await client.call(Self.method, request), as: output)
        return
      }
      var presenter = StreamPresentation(format: output)
      try await client.stream(Self.method, request) { presenter.show($0) }
    }
  }

  /// The text of --help: what the RPC does, its name in the specification, and examples.
  static func help(
    _ name: String, _ abstract: String, _ discussion: String = "", examples: [String] = []
  ) -> CommandConfiguration {
    var parts = discussion.isEmpty ? [] : [discussion]
    if !examples.isEmpty {
      parts.append((["Examples:"] + examples.map { "  stowage csi " + $0 }).joined(separator: "\n"))
    }
    parts.append("RPC: csi.v1.\(method.service)/\(method.name)")
    return CommandConfiguration(
      commandName: name, abstract: abstract, discussion: parts.joined(separator: "\n\n"))
  }
}

extension ConnectionOptions {
  /// Runs `body` with a client and turns its errors into what people and scripts expect: `CODE: message` on stderr and
  /// an exit status.
  /// - Throws: `ExitCode`; `ValidationError` for a bad endpoint.
  func withClient(_ environment: [String: String], _ body: (CSIClient) async throws -> Void) async throws {
    let endpoint = try address(environment: environment)
    let client = CSIClient(endpoint: endpoint, timeout: timeout.duration == .zero ? nil : timeout.duration)
    defer { client.close() }
    do { try await body(client) } catch let status as Status {
      // UNAVAILABLE is also what a draining driver says: only a refused connection means that nobody is there.
      if status.code == .unavailable, let reason = Self.connectProblem(endpoint.path) {
        Self.report("cannot connect to \(endpoint.path): \(reason)")
        throw ExitCode(ExitStatus.unreachable.rawValue)
      }
      Self.report(status.description)
      throw ExitCode(ExitStatus.failure.rawValue)
    } catch let error as JSONError {
      throw ValidationError("The request does not fit: \(error)")
    }
  }

  private static func report(_ text: String) {
    var line = Presentation.printable(text) + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Why a Unix socket takes no connection, or nil when it does.
  private static func connectProblem(_ path: String) -> String? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { Glibc.close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix($0.count - 1)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? nil : String(cString: strerror(errno))
  }
}
