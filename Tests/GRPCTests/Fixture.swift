import Glibc
import Synchronization
import Testing

@testable import GRPC

/// A directory of its own, removed with all that is in it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/grpc-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw EndpointError("mkdtemp: \(systemError())") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    guard unlink(path) != 0, let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != ".", name != ".." { remove("\(path)/\(name)") }
    }
    closedir(directory)
    rmdir(path)
  }
}

/// A server on a socket in a directory of its own, and a client of it.
struct Fixture: Sendable {
  let directory: TemporaryDirectory
  let endpoint: Endpoint
  let server: Server
  let client: Client

  init(_ routes: [Route], _ change: (inout ServerOptions) -> Void = { _ in }) throws {
    directory = try TemporaryDirectory()
    endpoint = try Endpoint(parsing: "unix://\(directory.path)/csi.sock")
    var options = ServerOptions()
    options.lockDirectory = "\(directory.path)/locks"
    change(&options)
    server = Server(routes: routes, pool: globalConcurrentExecutor, options: options)
    try server.start(on: endpoint)
    client = Client(endpoint: endpoint)
  }

  func call(_ path: String, _ request: [UInt8] = [], timeout: Duration? = .seconds(30)) async throws -> [UInt8] {
    try await client.unary(path, .bytes, .bytes, request, timeout: timeout)
  }

  func stream(_ path: String, _ request: [UInt8] = [], timeout: Duration? = .seconds(30)) -> ResponseStream<[UInt8]> {
    client.serverStream(path, .bytes, .bytes, request, timeout: timeout)
  }

  /// Stops the server and finds no context left of any call.
  func finish(grace: Duration = .seconds(10)) async {
    client.close()
    await server.shutdown(grace: grace)
    let server = server
    #expect(await eventually { server.openCalls == 0 }, "\(server.openCalls) contexts leaked")
  }
}

/// Whether `condition` becomes true within ten seconds.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
  for _ in 0..<2000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return condition()
}

/// The status that `body` throws.
func status(of body: () async throws -> Void) async -> Status {
  do {
    try await body()
    return Status(.ok, "")
  } catch let status as Status {
    return status
  } catch {
    return Status(.unknown, "not a status: \(error)")
  }
}

/// A number that tasks share.
final class Counter: Sendable {
  private let storage = Atomic<Int>(0)
  var value: Int { storage.load(ordering: .acquiring) }
  @discardableResult func increment() -> Int { storage.add(1, ordering: .acquiringAndReleasing).newValue }
}

/// Something that opens once; tasks wait for it, until it opens or they are cancelled.
final class Gate: Sendable {
  private let stream: AsyncStream<Never>
  private let opener: AsyncStream<Never>.Continuation

  init() { (stream, opener) = AsyncStream.makeStream() }

  func open() { opener.finish() }

  /// For one task.
  func wait() async throws {
    for await _ in stream {}
    try Task.checkCancellation()
  }
}
