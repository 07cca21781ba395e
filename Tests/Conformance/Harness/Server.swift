import CSI
import GRPC
import Glibc
import Host
import Synchronization

/// How a server is started.
struct ServerOptions: Sendable {
  var arguments: [String] = []
  var environment: [String: String] = [:]
  /// Lines of a configuration file beyond the backend; nil where the backend needs no file.
  var configuration: String?
  /// Keys of the backend, such as `maximumSize: 1GiB`.
  var backend: [String] = []
  /// Bytes promised for each byte there is.
  var overprovision: Int?

  static func configured(
    _ lines: String = "", backend: [String] = [], overprovision: Int? = nil
  ) -> ServerOptions {
    ServerOptions(configuration: lines, backend: backend, overprovision: overprovision)
  }
}

/// What the data directory lies on.
enum DataFilesystem: String, Sendable, CustomStringConvertible {
  case host, ext4, xfs, btrfs

  /// Those on which copies differ: two share blocks, one does not. Logical volumes lie on none.
  static let ofCopies: [DataFilesystem] = Backend.underTest == .lvm ? [.host] : [.ext4, .xfs, .btrfs]

  var description: String { rawValue }
}

/// `stowage serve` as a process of its own, on a socket and a data directory of its own.
final class Server: Sendable {
  static let driverName = "conformance.stowage.dev"
  static let topologyKey = driverName + "/node"

  let directory: String
  private let options: ServerOptions
  private let filesystem: DataFilesystem
  private let running = Mutex<Running?>(nil)

  private struct Running {
    let program: Program
    let client: Client
  }

  init(_ options: ServerOptions, on filesystem: DataFilesystem) throws {
    self.options = options
    self.filesystem = filesystem
    var template = Array("/tmp/stow-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FileFailure(path: "/tmp", code: errno) }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for path in [sockets, data, work] { Files.makeDirectory(path) }
  }

  var sockets: String { directory + "/s" }
  var socket: String { sockets + "/csi.sock" }
  /// The data directory of the file backend.
  var data: String { directory + "/data" }
  /// The runtime directory of the LVM backend.
  var runtime: String { directory + "/run" }
  /// Where the CO keeps its staging and target paths.
  var work: String { directory + "/work" }
  private var logFile: String { directory + "/log" }
  /// Everything the server has said on standard output and error.
  var log: String { Files.text(logFile) }

  var processID: pid_t? { running.withLock { $0?.program.id } }

  var client: Client {
    get throws {
      guard let client = running.withLock({ $0?.client }) else { throw GaveUp(what: "a server runs") }
      return client
    }
  }

  /// A further client on a connection of its own. The caller closes it.
  func makeClient() throws -> Client { Client(endpoint: try Endpoint(parsing: socket)) }

  /// Environment `STOWAGE_BINARY`, else what the build put beside this test.
  static var binary: String {
    Program.environment["STOWAGE_BINARY"] ?? beside(HostState.executable) + "/stowage"
  }

  private static func beside(_ path: String?) -> String {
    guard let path, let slash = path.lastIndex(of: "/") else { return ".build/debug" }
    return String(path[..<slash])
  }

  /// The command line.
  func command() throws -> [String] {
    var command = [
      Self.binary, "serve", "--endpoint", "unix://" + socket, "--node-id", "node-1", "--driver-name", Self.driverName,
      "--log-format", "json",
    ]
    if let configuration {
      let file = directory + "/stowage.yaml"
      try Files.write(configuration, to: file)
      command += ["--config", file]
    } else {
      command += ["--data-directory", data]
    }
    return command + options.arguments
  }

  /// The configuration file; nil where a directory says it all.
  private var configuration: String? {
    let keys = options.backend.map { "    \($0)\n" }.joined()
    switch Backend.underTest {
    case .file:
      guard let lines = options.configuration else { return nil }
      let ratio = options.overprovision.map { "    overprovision: \($0)\n" } ?? ""
      return "\(lines)\nbackends:\n  - name: files\n    type: file\n    directory: \(data)\n\(ratio)\(keys)"
    case .lvm:
      let ratio = options.overprovision.map { "        overprovision: \($0)\n" } ?? ""
      return """
        \(options.configuration ?? "")
        backends:
          - name: lvm
            type: lvm
            runtimeDirectory: \(runtime)
        \(keys)    classes:
              - name: thin
                volumeGroup: \(VolumeGroup.name)
                pool: \(VolumeGroup.pool)
        \(ratio)      - name: linear
                volumeGroup: \(VolumeGroup.name)
                layout: linear

        """
    }
  }

  /// The test's environment without what would configure a server.
  var environment: [String: String] {
    Program.environment.filter { !$0.key.hasPrefix("STOWAGE_") && !$0.key.hasPrefix("CSI_") }
      .merging(options.environment) { _, ours in ours }
  }

  /// - Parameter overrides: variables for this one start.
  func start(environment overrides: [String: String] = [:]) async throws {
    if isOnDisk, !Files.exists(directory + "/disk") { try await makeDisk() }
    let program = try Program(try command(), output: logFile, environment: environment.merging(overrides) { $1 })
    var client: Client?
    try await waitUntil("the server is ready") {
      if let status = program.status() { throw GaveUp(what: "the server starts; status \(status): \(log)") }
      guard Files.exists(socket) else { return false }
      // A client of its own for each try: one that was refused once waits a second before it tries again.
      let fresh = try makeClient()
      let answer =
        try? await fresh.unary(
          Methods.probe.path, .message(), .message(), ProbeRequest(), timeout: Patience.seconds(5)) as ProbeResponse
      guard answer?.ready == true else {
        fresh.close()
        return false
      }
      client = fresh
      return true
    }
    guard let client else { return }
    running.withLock { $0 = Running(program: program, client: client) }
  }

  /// A file system in a file, mounted on the data directory.
  private func makeDisk() async throws {
    let disk = directory + "/disk"
    try Files.write([], to: disk)
    guard truncate(disk, 1 << 30) == 0 else { throw FileFailure(path: disk, code: errno) }
    try await Program.need("mkfs.\(filesystem)", "-q", disk)
    try await Program.need("mount", "-o", "loop", disk, data)
  }

  /// Whether the data directory has a file system of its own.
  private var isOnDisk: Bool { Backend.underTest == .file && filesystem != .host }

  private func take() -> Running? {
    running.withLock { running in
      defer { running = nil }
      return running
    }
  }

  /// Sends SIGTERM and waits for the end.
  /// - Returns: the exit status.
  func terminate() async throws -> Int32 {
    guard let running = take() else { return 0 }
    running.client.close()
    running.program.send(SIGTERM)
    return try await running.program.ended()
  }

  /// Kills without warning.
  func kill() async throws {
    guard let running = take() else { return }
    running.client.close()
    running.program.send(SIGKILL)
    _ = try await running.program.ended()
  }

  func restart() async throws {
    _ = try await terminate()
    try await start()
  }

  /// Takes away everything, also what a failed scenario left.
  ///
  /// - Parameter failed: whether volumes may be left outside of the directory.
  func clean(failed: Bool = false) async {
    try? await kill()
    // The data directory's own mount goes last: without it the kernel no longer tells where loop devices belong.
    for mountPoint in mounts.reversed() { _ = try? await Program.run(["umount", "-l", mountPoint]) }
    for device in devices.keys where device.hasPrefix("/dev/loop") {
      _ = try? await Program.run(["losetup", "-d", device])
    }
    if isOnDisk { _ = try? await Program.run(["umount", data]) }
    for device in HostState.loopDevices(below: directory).keys {
      _ = try? await Program.run(["losetup", "-d", device])
    }
    if failed, Backend.underTest == .lvm { await VolumeGroup.clear() }
    _ = try? await Program.run(["rm", "-rf", "--one-file-system", directory])
  }
}
