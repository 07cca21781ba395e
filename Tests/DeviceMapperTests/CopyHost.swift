import Glibc
import Host
import LVMBackend
import Storage
import Synchronization
import Testing

/// A backend with one thin class over a group of its own, and what tests of copies do with volumes.
struct CopyHost: Sendable {
  let group: TestGroup
  let backend: LVMBackend

  var node: NodeID { backend.configuration.nodeID }

  /// - Parameter ready: called when the group is there, before the backend is prepared.
  static func use(
    disks: Int = 1, pool: ByteCount? = .gib(1), ratio: Double = 100, autoExtend: DeviceClass.AutoExtend? = nil,
    ready: (TestGroup) async throws -> Void = { _ in }, _ body: (CopyHost) async throws -> Void
  ) async throws {
    try await TestGroup.use(disks: disks, pool: pool) { group in
      try await ready(group)
      let host = CopyHost(group: group, backend: try backend(on: group, ratio, autoExtend))
      let result: Result<Void, any Error>
      do {
        try await host.backend.prepare()
        result = .success(try await body(host))
      } catch {
        result = .failure(error)
      }
      await host.backend.close()
      try result.get()
    }
  }

  private static func backend(
    on group: TestGroup, _ ratio: Double, _ autoExtend: DeviceClass.AutoExtend?
  ) throws -> LVMBackend {
    LVMBackend(
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: NodeID("here"),
        classes: [
          DeviceClass(
            name: "thin", volumeGroup: group.name, layout: .thin(pool: group.pool), overprovision: ratio,
            autoExtend: autoExtend)
        ], executable: TestGroup.stowage, runtimeDirectory: group.runtimeDirectory))
  }

  /// As after a restart of the process.
  func reopened(_ body: (CopyHost) async throws -> Void) async throws {
    await backend.close()
    let again = CopyHost(group: group, backend: LVMBackend(backend.configuration))
    try await again.backend.prepare()
    let result: Result<Void, any Error>
    do { result = .success(try await body(again)) } catch { result = .failure(error) }
    await again.backend.close()
    try result.get()
  }

  func make(
    _ name: String, _ size: ByteCount = .mib(16), _ type: FilesystemType? = nil, from source: ContentSource? = nil
  ) async throws -> Volume {
    let access: VolumeCapability.Access = type.map { .mount(MountCapability(filesystem: $0)) } ?? .block
    return try await backend.createVolume(
      VolumeSpec(
        name: name, capacity: try CapacityRange(requiredBytes: size.bytes, limitBytes: 0),
        capabilities: [VolumeCapability(access, .singleNodeWriter)], source: source))
  }

  /// Connects it.
  func device(_ id: NativeID) async throws -> String { try await backend.device(id) }

  /// Where a volume of this name is mounted.
  func mountPoint(_ name: String) -> String { "\(group.runtimeDirectory)/mnt-\(name)" }

  /// Connects and mounts it.
  func mount(_ volume: Volume, _ type: FilesystemType, isNew: Bool = false) async throws -> String {
    let device = try await device(volume.id)
    if isNew {
      try await Filesystem.make(type, on: device, options: [])
      try await backend.setFormatState(.formatted, for: volume.id)
    }
    let point = mountPoint(volume.name)
    try HostPath.createDirectory(point)
    try Mount.filesystem(device, at: point, type: type.rawValue, options: type == .xfs ? ["nouuid"] : [])
    return point
  }

  func unmount(_ volume: Volume) async throws {
    try Mount.unmount(mountPoint(volume.name))
    try await backend.disconnect(volume.id)
  }

  /// Names of the logical volumes that are ours.
  func volumes() async throws -> Set<String> {
    let text = try await TestGroup.run(["lvs", "--noheadings", "-o", "lv_name", group.name])
    return Set(text.split(separator: "\n").map { String($0).trimmed }.filter { $0.hasPrefix("cs") })
  }

  /// What `work` cost: programs that were started and commands given to LVM.
  func cost<T>(_ work: () async throws -> T) async throws -> (result: T, programs: Int, commands: Int) {
    let before = backend.commands
    let (result, programs, _) = try await HostCounters.counting(work)
    return (result, programs, backend.commands - before)
  }

  func dmsetup(_ arguments: String...) async throws { try await TestGroup.run(["dmsetup"] + arguments) }

  func holdsMetadataSnapshot() throws -> Bool {
    try DeviceMapper.poolStatus(group.path(group.pool))?.holdsMetadataSnapshot ?? false
  }

  /// The pool's own device.
  var poolDevice: String { DeviceMapper.name(of: group.path(group.pool)) + "-tpool" }
}

func write(_ text: String, to path: String) throws {
  let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
  let bytes = Array(text.utf8)
  guard Glibc.write(file.raw, bytes, bytes.count) == bytes.count else {
    throw SystemCallError("write", path: path, errno: errno)
  }
}

func text(_ path: String) throws -> String { String(decoding: try FileContents.read(path), as: UTF8.self) }

/// Expects the `StorageError` case of this name.
func expectError(
  _ name: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
  do {
    try await body()
    Issue.record("nothing was thrown instead of .\(name)", sourceLocation: sourceLocation)
  } catch {
    let thrown = Mirror(reflecting: error).children.first?.label ?? "\(error)"
    #expect(thrown == name, "threw \(error)", sourceLocation: sourceLocation)
  }
}

extension LVMBackend {
  /// Connects a volume.
  func device(_ id: NativeID) async throws -> String {
    guard case .block(let path) = try await connect(id, NodeConnection()) else {
      throw StorageError.failed("no block device")
    }
    return path
  }
}

/// Direct reads and writes of whole pages.
struct RawDevice: ~Copyable {
  private let descriptor: Descriptor
  private let path: String
  private let buffer: UnsafeMutableRawBufferPointer
  static let page = 4096

  init(_ path: String) throws {
    self.path = path
    // O_DIRECT of fcntl.h, which is shown to GNU sources only.
    descriptor = try Descriptor(opening: path, O_RDWR | 0o40000)
    buffer = .allocate(byteCount: 1 << 20, alignment: Self.page)
  }

  deinit { buffer.deallocate() }

  /// - Parameter count: bytes, whole pages, at most a MiB.
  func write(_ byte: UInt8, at offset: Int64, _ count: Int = page) throws {
    if let start = buffer.baseAddress { memset(start, Int32(byte), count) }
    guard pwrite(descriptor.raw, buffer.baseAddress, count, off_t(offset)) == count else {
      throw SystemCallError("pwrite", path: path, errno: errno)
    }
  }

  func write(number: UInt64, at offset: Int64) throws {
    buffer.storeBytes(of: number, as: UInt64.self)
    guard pwrite(descriptor.raw, buffer.baseAddress, Self.page, off_t(offset)) == Self.page else {
      throw SystemCallError("pwrite", path: path, errno: errno)
    }
  }

  func number(at offset: Int64) throws -> UInt64 {
    guard pread(descriptor.raw, buffer.baseAddress, Self.page, off_t(offset)) == Self.page else {
      throw SystemCallError("pread", path: path, errno: errno)
    }
    return buffer.load(as: UInt64.self)
  }

  func content(_ size: ByteCount) throws -> [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(Int(size.bytes))
    while all.count < size.bytes {
      let count = min(buffer.count, Int(size.bytes) - all.count)
      guard pread(descriptor.raw, buffer.baseAddress, count, off_t(all.count)) == count else {
        throw SystemCallError("pread", path: path, errno: errno)
      }
      all += buffer.prefix(count)
    }
    return all
  }
}

/// Work on a thread of its own, which may wait in the kernel.
final class Background: Sendable {
  private let state = Mutex<Result<Void, any Error>?>(nil)
  private let isStopped = Atomic<Bool>(false)

  /// - Parameter work: asks again and again whether it is to stop.
  init(_ work: @escaping @Sendable (_ isStopped: () -> Bool) throws -> Void) {
    let started = Host.Thread.start(name: "background") { [self] in
      let result = Result { try work { isStopped.load(ordering: .acquiring) } }
      state.withLock { $0 = result }
    }
    #expect(started)
  }

  var isOver: Bool { state.withLock { $0 != nil } }

  func stop() async throws {
    isStopped.store(true, ordering: .releasing)
    #expect(try await eventually { isOver }, "it does not end")
    try state.withLock { $0 }?.get()
  }
}
