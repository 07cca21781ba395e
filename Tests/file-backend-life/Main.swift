import FileBackend
import Glibc
import Host
import Storage

/// A process that tests can kill: `file-backend-life <directory>` leads volumes through their whole life on a file
/// backend, as a driver would that repeats its calls, and `file-backend-life freeze-guard PATH...` is the freeze guard.
///
/// Exit status 0: every step held and nothing is left; 1: a step failed, told on standard error.
@main enum Main {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard let first = arguments.first else { exit(2) }
    if first == "freeze-guard" { exit(FreezeGuard.runGuard(Array(arguments.dropFirst()))) }
    do {
      try await Life(directory: first).lead()
    } catch {
      let message = Array("\(error)\n".utf8)
      _ = Glibc.write(2, message, message.count)
      exit(1)
    }
  }
}

private struct Broken: Error, CustomStringConvertible { let description: String }

private struct Life {
  let backend: FileBackend
  let node = NodeID("here")
  private let pattern = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

  init(directory: String) throws {
    backend = FileBackend(
      try FileBackend.Configuration(
        name: BackendName(validating: "file"), directory: directory, nodeID: node, executable: "/proc/self/exe"))
  }

  func lead() async throws {
    try await backend.prepare()
    let a = try await volume("a", from: nil)
    try await backend.setFormatState(.formatting(.ext4), for: a.id)
    _ = try await backend.attach(
      a.id, to: node, capability: capability, readOnly: false, secrets: .none)
    try await withDevice(a.id) { device in try write(device) }
    try await backend.modify(a.id, mutableParameters: ["iops-read": "100"], secrets: .none)
    let snapshot = try await snapshot("s", of: a.id)
    let restored = try await volume("r", from: .snapshot(snapshot.id))
    let clone = try await volume("c", from: .volume(a.id))
    let size = ByteCount.mib(6)
    let range = try CapacityRange(requiredBytes: size.bytes, limitBytes: 0)
    guard try await backend.expand(clone.id, to: range, secrets: .none).capacity == size else {
      throw Broken(description: "not expanded")
    }
    let group = try await group("g", of: [a.id, clone.id])
    guard group.members.count == 2 else { throw Broken(description: "members are missing") }
    let member = try await volume("m", from: .snapshot(group.members[1].id))
    for copy in [restored, clone, member] { try await withDevice(copy.id) { device in try check(device) } }
    try await backend.detach(a.id, from: nil, secrets: .none)
    try await backend.deleteGroupSnapshot(group.id, secrets: .none)
    try await backend.deleteSnapshot(snapshot.id, secrets: .none)
    for volume in [a, restored, clone, member] { try await backend.deleteVolume(volume.id, secrets: .none) }
    guard try await backend.volumes(after: nil, limit: 9).isEmpty,
      try await backend.snapshots(source: nil, after: nil, limit: 9).isEmpty
    else { throw Broken(description: "something is left") }
  }

  private var capability: VolumeCapability {
    VolumeCapability(.mount(MountCapability(filesystem: .ext4)), .singleNodeWriter)
  }

  private func volume(_ name: String, from source: ContentSource?) async throws -> Volume {
    if let volume = try await backend.volume(named: name) { return volume }
    let range = try CapacityRange(requiredBytes: 4 << 20, limitBytes: 0)
    return try await backend.createVolume(
      VolumeSpec(name: name, capacity: source == nil ? range : .unspecified, capabilities: [capability], source: source)
    )
  }

  private func snapshot(_ name: String, of id: NativeID) async throws -> Snapshot {
    if let snapshot = try await backend.snapshot(named: name) { return snapshot }
    return try await backend.createSnapshot(SnapshotSpec(name: name, source: id))
  }

  private func group(_ name: String, of ids: [NativeID]) async throws -> GroupSnapshot {
    if let group = try await backend.groupSnapshot(named: name) { return group }
    return try await backend.createGroupSnapshot(GroupSnapshotSpec(name: name, sources: ids))
  }

  private func withDevice(_ id: NativeID, _ body: (Int32) throws -> Void) async throws {
    guard case .block(let path) = try await backend.connect(id, NodeConnection()) else {
      throw Broken(description: "no device")
    }
    let device = open(path, O_RDWR | O_CLOEXEC)
    let result = Result { try body(device) }
    close(device)
    try await backend.disconnect(id)
    try result.get()
  }

  private func write(_ device: Int32) throws {
    guard pwrite(device, pattern, pattern.count, 1 << 20) == pattern.count, fsync(device) == 0 else {
      throw Broken(description: "write: errno \(errno)")
    }
  }

  private func check(_ device: Int32) throws {
    var bytes = [UInt8](repeating: 0, count: pattern.count)
    guard pread(device, &bytes, bytes.count, 1 << 20) == bytes.count, bytes == pattern else {
      throw Broken(description: "the data differs")
    }
  }
}
