import BackendContract
import FileBackend
import Glibc
import Host
import Storage
import Testing

/// Tests that use devices and mounts: one after the other.
@Suite(.serialized) struct FileBackendSuite {}

/// A file system of its own, loop-mounted for one test and taken apart after it.
struct HostDirectory: Sendable {
  let path: String
  /// The name of the volumes' directory.
  var directory = "stowage"

  static func use<T>(
    _ type: FilesystemType, size: ByteCount = .gib(1), _ body: (HostDirectory) async throws -> T
  ) async throws -> T {
    var template = Array("/tmp/stowage-file-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemCallError("mkdtemp", errno: errno) }
    let base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let result: Result<T, any Error>
    do {
      try HostPath.createDirectory(base + "/mount")
      do {
        let image = try Descriptor(opening: base + "/image", O_RDWR | O_CREAT, mode: 0o600)
        guard ftruncate(image.raw, off_t(size.bytes)) == 0 else { throw SystemCallError("ftruncate", errno: errno) }
      }
      let loop = try LoopDevice.attach(base + "/image", readOnly: false)
      try await Filesystem.make(type, on: loop.path, options: [])
      try Mount.filesystem(loop.path, at: base + "/mount", type: type.rawValue, options: [])
      result = .success(try await body(HostDirectory(path: base + "/mount")))
    } catch {
      result = .failure(error)
    }
    await clean(base)
    return try result.get()
  }

  private static func clean(_ base: String) async {
    // Volumes lie inside the mount inside the directory: the innermost first.
    for prefix in [base + "/mount/", base + "/"] {
      let mounts = ((try? MountTable.read())?.entries ?? []).filter { $0.mountPoint.hasPrefix(base + "/") }
      let inner = mounts.filter { prefix == base + "/" || $0.mountPoint.hasPrefix(prefix) }
      FreezeGuard.thawAll(inner.map(\.mountPoint))
      for mount in inner.reversed() { try? Mount.unmount(mount.mountPoint) }
      for loop in (try? LoopDevice.all()) ?? [] where loop.backingFile?.hasPrefix(prefix) == true { try? loop.detach() }
    }
    _ = try? await Command.run(["rm", "-rf", "--one-file-system", base], limit: .seconds(60))
    #expect(!HostPath.exists(base), "\(base) is left behind")
  }

  /// The volumes' directory on this file system.
  var volumes: String { "\(path)/\(directory)" }

  func backend(
    ratio: Double = 1, minimum: ByteCount = .mib(1), topologies: [Topology] = [Topology(["test/node": "here"])]
  ) throws -> FileBackend {
    FileBackend(
      try FileBackend.Configuration(
        name: BackendName(validating: "file"), directory: volumes, nodeID: NodeID("here"), topologies: topologies,
        overprovisionRatio: ratio, defaultSize: max(.mib(16), minimum), minimumSize: minimum,
        executable: lifeProgram))
  }

  func prepared(ratio: Double = 1) async throws -> FileBackend {
    let backend = try backend(ratio: ratio)
    try await backend.prepare()
    return backend
  }

  /// Everything below the volumes' directory that is a volume, snapshot, group, or is half-made or half-deleted.
  func leftovers() throws -> [String] {
    try ["volumes", "snapshots", "groups", "work", "trash"].flatMap { directory in
      try Directory.names(in: "\(volumes)/\(directory)").map { "\(directory)/\($0)" }
    }.sorted()
  }
}

/// Lies beside the test program.
let lifeProgram: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count)
  let own = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/file-backend-life"
}()

let block = VolumeCapability(.block, .singleNodeWriter)

func mount(_ type: FilesystemType) -> VolumeCapability {
  VolumeCapability(.mount(MountCapability(filesystem: type)), .singleNodeWriter)
}

extension FileBackend {
  func make(
    _ name: String, _ size: ByteCount = .mib(16), _ capability: VolumeCapability = block,
    parameters: [String: String] = [:], from source: ContentSource? = nil
  ) async throws -> Volume {
    try await createVolume(
      VolumeSpec(
        name: name, capacity: try CapacityRange(requiredBytes: size.bytes, limitBytes: 0), capabilities: [capability],
        parameters: parameters, source: source))
  }

  func device(_ volume: Volume) async throws -> String {
    guard case .block(let path) = try await connect(volume.id, NodeConnection()) else {
      throw ContractFailure("no block device")
    }
    return path
  }
}

/// Whether `body` throws the `StorageError` case of this name.
func expectError(_ name: String, _ location: SourceLocation = #_sourceLocation, _ body: () async throws -> Void) async {
  do {
    try await body()
    Issue.record("nothing was thrown instead of .\(name)", sourceLocation: location)
  } catch {
    let thrown = Mirror(reflecting: error).children.first?.label ?? "\(error)"
    #expect(thrown == name, "\(error)", sourceLocation: location)
  }
}

func write(_ text: String, to path: String) throws {
  let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
  let bytes = Array(text.utf8)
  guard Glibc.write(file.raw, bytes, bytes.count) == bytes.count else {
    throw SystemCallError("write", path: path, errno: errno)
  }
}

func text(_ path: String) throws -> String { String(decoding: try FileContents.read(path), as: UTF8.self) }
