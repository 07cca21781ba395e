import CSI
import GRPC
import Glibc
import Host
import Storage
import Synchronization
import Testing

/// Encrypted volumes of `stowage serve`, a process that can be looked at and killed.
@Suite(.serialized) struct EncryptionServerTests {
  private static let sentinel = "Se5ame-0pen.You_sentinel"

  @Test func `a passphrase is in no command line, environment, log or file`() async throws {
    try await EncryptedServer.with { server in
      try server.start()
      let watch = Watch(for: Self.sentinel)
      try await server.create()
      try await server.stage(Self.sentinel)
      await expectStatus("UNAUTHENTICATED") { try await server.stage(Self.sentinel + "x", at: "staging-2") }
      try await server.unstage()
      await expectStatus("UNAUTHENTICATED") { try await server.stage(Self.sentinel + "x") }
      let (seen, luks) = try await watch.end()
      #expect(seen.isEmpty, "\(seen)")
      #expect(luks > 0, "the processes that do the work were looked at")
      #expect(server.log.contains("NodeStageVolume"))
      #expect(!server.log.contains(Self.sentinel))
      let found = try await Command.run(["grep", "-rlF", Self.sentinel, server.root], limit: .seconds(60))
      #expect(found.status == .exited(1), "\(found.text)")
    }
  }

  @Test(arguments: [CrashPoint.connectAttached, .formatRecorded, .luksRecorded, .stageConnected, .unstageAfterUnmount])
  func `a server that dies is followed by one that finds the volume`(_ step: CrashPoint) async throws {
    try await EncryptedServer.with { server in
      try server.start(crashAt: step)
      try await server.create()
      if step == .unstageAfterUnmount { try await server.stage(Self.sentinel) }
      await expectStatus("UNAVAILABLE") {
        if step == .unstageAfterUnmount { try await server.unstage() } else { try await server.stage(Self.sentinel) }
      }
      #expect(server.wasKilled())
      try server.start()
      try await server.stage(Self.sentinel)
      try save("kept", in: server.root + "/staging/file")
      try await server.unstage()
      try await server.stage(Self.sentinel)
      #expect(try load(server.root + "/staging/file") == "kept")
      try await server.unstage()
    }
  }
}

/// Looks at the command lines and environments of all processes until it is told to end, on a thread of its own.
private final class Watch: Sendable {
  private struct State {
    var hits: Set<String> = []
    var luks = 0
    var isWanted = true
    var isOver = false
  }
  private let state = Mutex(State())

  init(for text: String) {
    let started = Thread.start(name: "watch") { [self] in
      while state.withLock({ $0.isWanted }) {
        look(for: text)
        usleep(20_000)
      }
      state.withLock { $0.isOver = true }
    }
    if !started { Issue.record("no thread") }
  }

  private func look(for text: String) {
    for name in (try? Directory.names(in: "/proc")) ?? [] where Int(name) != nil {
      for file in ["cmdline", "environ"] {
        guard let content = try? load("/proc/\(name)/\(file)") else { continue }
        if content.contains(text) { _ = state.withLock { $0.hits.insert("\(file): \(content)") } }
        if content.contains("\0luks\0") { state.withLock { $0.luks += 1 } }
      }
    }
  }

  func end() async throws -> (hits: Set<String>, luks: Int) {
    state.withLock { $0.isWanted = false }
    while !state.withLock({ $0.isOver }) { try await Task.sleep(for: .milliseconds(20)) }
    return state.withLock { ($0.hits, $0.luks) }
  }
}

/// `stowage serve` on a socket and a directory of its own, with a log of every call.
private final class EncryptedServer: Sendable {
  let root: String
  private let running = Mutex<(process: pid_t, client: Client)?>(nil)

  static func with(_ body: (EncryptedServer) async throws -> Void) async throws {
    var template = Array("/tmp/stow-XXXXXX".utf8CString)
    let server = EncryptedServer(try #require(mkdtemp(&template).map { String(cString: $0) }))
    for name in ["staging", "staging-2"] { try HostPath.createDirectory("\(server.root)/\(name)") }
    do {
      try await body(server)
    } catch {
      Issue.record("\(server.log.suffix(2000))")
      await server.clear()
      throw error
    }
    await server.clear()
  }

  private init(_ root: String) { self.root = root }

  var log: String { (try? load(root + "/log")) ?? "" }

  func start(crashAt step: CrashPoint? = nil) throws {
    let argv = [
      try EncryptedHost.stowage(), "serve", "--endpoint", "unix://\(root)/csi.sock", "--node-id", "node-1",
      "--driver-name", "luks.stowage.dev", "--data-directory", root + "/data", "--log-level", "trace",
    ]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for number in [1, 2] as [Int32] {
      posix_spawn_file_actions_addopen(&actions, number, root + "/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) } + [nil]
    let variables = ["PATH=/usr/sbin:/usr/bin"] + (step.map { ["STOWAGE_CRASH_AT=\($0.rawValue)"] } ?? [])
    var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    defer { (arguments + environment).forEach { free($0) } }
    var process: pid_t = 0
    try #require(posix_spawn(&process, argv[0], &actions, nil, &arguments, &environment) == 0)
    var options = ClientOptions()
    options.waitsForServer = true
    let client = Client(endpoint: try Endpoint(parsing: "unix://\(root)/csi.sock"), options: options)
    running.withLock { $0 = (process, client) }
  }

  /// Waits for the end of the server.
  func wasKilled() -> Bool {
    guard let ended = running.withLock({ $0 }) else { return false }
    ended.client.close()
    var status: Int32 = 0
    waitpid(ended.process, &status, 0)
    running.withLock { $0 = nil }
    return status & 0x7f == SIGKILL
  }

  private func clear() async {
    if let (process, client) = running.withLock({ $0 }) {
      client.close()
      kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    for name in ["staging", "staging-2"] { try? Mount.unmount("\(root)/\(name)") }
    for loop in (try? LoopDevice.all()) ?? [] where loop.backingFile?.hasPrefix(root + "/") == true {
      for device in (try? MappedDevice.over(loop.path)) ?? [] {
        _ = try? await Command.run(["dmsetup", "remove", "--retry", device.name], limit: .seconds(30))
      }
      try? loop.detach()
    }
    _ = try? await Command.run(["rm", "-rf", "--one-file-system", root], limit: .seconds(30))
  }

  // MARK: calls

  /// Repeated while the server says that it is starting.
  @discardableResult
  private func call<Q, R>(_ method: Method<Q, R>, _ request: Q) async throws -> R {
    let client = try #require(running.withLock { $0?.client })
    let codec = Codec<Q>(decode: { try Q(serialized: $0) }, encode: { try $0.serialize($1) })
    let answers = Codec<R>(decode: { try R(serialized: $0) }, encode: { try $0.serialize($1) })
    for _ in 0..<100 {
      do {
        return try await client.unary(method.path, codec, answers, request, timeout: .seconds(120))
      } catch let status as Status where status.code == .unavailable && status.message.contains("being prepared") {
        usleep(100_000)
      }
    }
    throw StorageError.unavailable("the server does not become ready")
  }

  func create() async throws {
    try await call(
      Methods.createVolume,
      CreateVolumeRequest(
        name: "pvc-1", capacityRange: .init(requiredBytes: 32 << 20), volumeCapabilities: [EncryptedHost.mount()],
        parameters: EncryptedHost.encrypted))
  }

  func stage(_ passphrase: String, at name: String = "staging") async throws {
    try await call(
      Methods.nodeStageVolume,
      NodeStageVolumeRequest(
        volumeID: "pvc-1", stagingTargetPath: "\(root)/\(name)", volumeCapability: EncryptedHost.mount(),
        secrets: ["passphrase": passphrase]))
  }

  func unstage() async throws {
    try await call(
      Methods.nodeUnstageVolume,
      NodeUnstageVolumeRequest(volumeID: "pvc-1", stagingTargetPath: root + "/staging"))
  }
}
