import CSI
import FileBackend
import GRPC
import Glibc
import Host
import Storage
import Synchronization
import Testing

@testable import Driver

/// A driver over a real file backend in a directory of its own, and paths to stage and publish at. Everything that is
/// mounted or attached is taken away when the body ends, however it ends.
struct Fixture: Sendable {
  let root: String
  let driver: Driver
  let controller: ControllerService
  let groups: GroupControllerService
  let identity: IdentityService
  let node: NodeService

  static func with(
    topologies: [Storage.Topology] = [], advertises113: Bool = false, _ body: (Fixture) async throws -> Void
  ) async throws {
    var template = Array("/tmp/stowage-driver-XXXXXX".utf8CString)
    let root = try #require(mkdtemp(&template).map { String(cString: $0) })
    let fixture = try Fixture(root, topologies, advertises113)
    do {
      try await fixture.driver.start()
      try await body(fixture)
    } catch {
      fixture.clear()
      throw error
    }
    fixture.clear()
  }

  private init(_ root: String, _ topologies: [Storage.Topology], _ advertises113: Bool) throws {
    self.root = root
    let nodeID = NodeID("node-1")
    let backend = FileBackend(
      try FileBackend.Configuration(
        name: BackendName(validating: "file"), directory: root + "/volumes", nodeID: nodeID, topologies: topologies,
        overprovisionRatio: 1000, defaultSize: .mib(16), executable: "/proc/self/exe"))
    let configuration = DriverConfiguration(
      driverName: "file.csi.stowage.dev", version: "0.1", nodeID: nodeID, advertises113: advertises113,
      ephemeralLimit: .mib(64))
    driver = try Driver(configuration, backends: [backend])
    controller = ControllerService(registry: driver.registry, gate: driver.gate, configuration: configuration)
    groups = GroupControllerService(registry: driver.registry, gate: driver.gate)
    identity = IdentityService(
      registry: driver.registry, configuration: configuration, readiness: driver.readiness)
    node = NodeService(registry: driver.registry, gate: driver.gate, configuration: configuration)
    for name in ["staging", "staging-2", "pods"] { try HostPath.createDirectory("\(root)/\(name)") }
  }

  var staging: String { root + "/staging" }
  var target: String { root + "/pods/target" }

  /// What is mounted below the fixture's directory.
  func mountPoints() throws -> [String] {
    try MountTable.read().entries.map(\.mountPoint).filter { $0.hasPrefix(root + "/") }
  }

  /// The loop devices over the fixture's files, and over those loop devices.
  func loops() throws -> [LoopDevice] {
    let own = try LoopDevice.all().filter { $0.backingFile?.hasPrefix(root) == true }
    let paths = Set(own.map(\.path))
    return own + (try LoopDevice.all().filter { $0.backingFile.map { paths.contains($0) } ?? false })
  }

  private func clear() {
    for path in (try? mountPoints())?.reversed() ?? [] { try? Mount.unmount(path) }
    for loop in (try? loops())?.reversed() ?? [] { try? loop.detach() }
    removeTree(root)
  }

  private func removeTree(_ path: String) {
    for name in (try? Directory.names(in: path)) ?? [] {
      let inner = "\(path)/\(name)"
      if unlink(inner) != 0 { removeTree(inner) }
    }
    rmdir(path)
  }
}

// The messages that tests send most.
extension Fixture {
  static func mount(
    _ type: String = "ext4", _ mode: CSI.VolumeCapability.AccessMode.Mode = .singleNodeWriter, flags: [String] = [],
    group: String = ""
  ) -> CSI.VolumeCapability {
    CSI.VolumeCapability(
      accessType: .mount(.init(fsType: type, mountFlags: flags, volumeMountGroup: group)),
      accessMode: .init(mode: mode))
  }

  static func block(_ mode: CSI.VolumeCapability.AccessMode.Mode = .singleNodeWriter) -> CSI.VolumeCapability {
    CSI.VolumeCapability(accessType: .block(.init()), accessMode: .init(mode: mode))
  }

  @discardableResult
  func create(
    _ name: String = "pvc-1", size: Int64 = 16 << 20, _ capability: CSI.VolumeCapability = mount(),
    source: VolumeContentSource? = nil
  ) async throws -> CSI.Volume {
    let response = try await controller.createVolume(
      CreateVolumeRequest(
        name: name, capacityRange: .init(requiredBytes: size), volumeCapabilities: [capability],
        volumeContentSource: source))
    return try #require(response.volume)
  }

  func volumeCount() async throws -> Int { try await controller.listVolumes(.init()).entries.count }

  func stage(
    _ id: String = "pvc-1", _ capability: CSI.VolumeCapability = mount(), at path: String? = nil
  ) async throws {
    _ = try await node.nodeStageVolume(
      NodeStageVolumeRequest(volumeID: id, stagingTargetPath: path ?? staging, volumeCapability: capability))
  }

  func publish(
    _ id: String = "pvc-1", _ capability: CSI.VolumeCapability = mount(), at path: String? = nil,
    readonly: Bool = false
  ) async throws {
    _ = try await node.nodePublishVolume(
      NodePublishVolumeRequest(
        volumeID: id, stagingTargetPath: staging, targetPath: path ?? target, volumeCapability: capability,
        readonly: readonly))
  }

  func unpublish(_ id: String = "pvc-1", at path: String? = nil) async throws {
    _ = try await node.nodeUnpublishVolume(NodeUnpublishVolumeRequest(volumeID: id, targetPath: path ?? target))
  }

  func unstage(_ id: String = "pvc-1", at path: String? = nil) async throws {
    _ = try await node.nodeUnstageVolume(
      NodeUnstageVolumeRequest(volumeID: id, stagingTargetPath: path ?? staging))
  }
}

/// Expects an error that the error table answers with `code`.
func expect(
  _ code: String, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> some Any
) async {
  do {
    _ = try await body()
    Issue.record(comment ?? "nothing was thrown instead of \(code)", sourceLocation: sourceLocation)
  } catch {
    let status = Status(describing: error, deadlinePassed: false)
    #expect(status.code.name == code, "\(status.message)", sourceLocation: sourceLocation)
  }
}

func write(_ text: String, to path: String) throws {
  let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
  guard file >= 0 else { throw SystemCallError("open", path: path, errno: errno) }
  defer { close(file) }
  let bytes = Array(text.utf8)
  guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
    throw SystemCallError("write", path: path, errno: errno)
  }
}

func read(_ path: String) throws -> String {
  String(decoding: try FileContents.read(path), as: UTF8.self)
}
