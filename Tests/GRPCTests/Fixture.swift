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

  var entries: [String] { Self.entries(path) }

  static func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  private static func remove(_ path: String) {
    guard unlink(path) != 0 else { return }
    for name in entries(path) { remove("\(path)/\(name)") }
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

/// A value that tasks share.
final class Box<Value: Sendable>: Sendable {
  private let storage: Guarded<Value>
  init(_ value: Value) { storage = Guarded(value) }
  var value: Value {
    get { storage.withLock { $0 } }
    set { storage.withLock { $0 = newValue } }
  }
}

/// Lets nobody pass until all have arrived.
actor Barrier {
  private var missing: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { missing = count }

  func arrive() async {
    missing -= 1
    if missing > 0 { return await withCheckedContinuation { waiting.append($0) } }
    for continuation in waiting { continuation.resume() }
  }
}

/// A pool that runs every job on a thread of its own.
final class ThreadPerJob: TaskExecutor {
  let jobs = Counter()

  /// The name of the thread that asks.
  static func threadName() -> [UInt8] {
    var name = [UInt8](repeating: 0, count: 16)
    let file = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    let count = read(file, &name, name.count)
    return Array(name.prefix(max(count - 1, 0)))
  }

  private static func nameThread() {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    defer { close(file) }
    write(file, "pool-thread", 11)
  }

  private final class Job: Sendable {
    let job: UnownedJob
    let executor: UnownedTaskExecutor
    init(_ job: UnownedJob, _ executor: UnownedTaskExecutor) { (self.job, self.executor) = (job, executor) }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.increment()
    let context = Unmanaged.passRetained(Job(UnownedJob(job), asUnownedTaskExecutor())).toOpaque()
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
        ThreadPerJob.nameThread()
        job.job.runSynchronously(on: job.executor)
        return nil
      }, context)
    precondition(error == 0)
    pthread_detach(thread)
  }
}
