import CSI
import FileBackend
import GRPC
import Glibc
import Host
import Storage
import Testing

@testable import Driver

/// A driver over a file backend with encrypted volumes, in a directory of its own; the built `stowage` does the work on
/// devices. Everything that is mounted, open or attached is taken away when the body ends, however it ends.
final class EncryptedHost: Sendable {
  static let passphrase = "correct horse battery staple"
  static let encrypted = ["encryption": "luks2"]

  let root: String
  let backend: FileBackend
  let driver: Driver
  let controller: ControllerService
  let node: NodeService

  static func with(_ body: (EncryptedHost) async throws -> Void) async throws {
    var template = Array("/tmp/stowage-luks-XXXXXX".utf8CString)
    let root = try #require(mkdtemp(&template).map { String(cString: $0) })
    let host = try await EncryptedHost(root)
    do {
      try await body(host)
    } catch {
      await host.clear()
      throw error
    }
    await host.clear()
  }

  private init(_ root: String) async throws {
    self.root = root
    let nodeID = NodeID("node-1")
    backend = FileBackend(
      try FileBackend.Configuration(
        name: BackendName(validating: "file"), directory: root + "/volumes", nodeID: nodeID, overprovisionRatio: 1000,
        defaultSize: .mib(32), executable: try Self.stowage()))
    let configuration = DriverConfiguration(
      driverName: "luks.stowage.dev", version: "0.1", nodeID: nodeID, executable: try Self.stowage())
    driver = try Driver(configuration, backends: [backend])
    controller = ControllerService(registry: driver.registry, gate: driver.gate, configuration: configuration)
    node = NodeService(registry: driver.registry, gate: driver.gate, configuration: configuration)
    for name in ["staging", "staging-2", "pods"] { try HostPath.createDirectory("\(root)/\(name)") }
    try await driver.start()
  }

  /// What a server that was killed leaves to the next one: everything but its memory.
  func successor() async throws -> EncryptedHost {
    backend.close()
    return try await EncryptedHost(root)
  }

  /// What the build put beside this test.
  static func stowage() throws -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &buffer, buffer.count)
    try #require(length > 0)
    let own = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return HostPath.parent(of: own) + "/stowage"
  }

  var staging: String { root + "/staging" }
  var target: String { root + "/pods/target" }
  func data(_ id: String = "pvc-1") -> String { root + "/volumes/volumes/\(id)/data" }

  // MARK: what the host shows

  func mountPoints() throws -> [String] {
    try MountTable.read().entries.map(\.mountPoint).filter { $0.hasPrefix(root + "/") }
  }

  func loops() throws -> [LoopDevice] { try LoopDevice.all().filter { $0.backingFile?.hasPrefix(root + "/") == true } }

  func opened() throws -> [MappedDevice] { try loops().flatMap { try MappedDevice.over($0.path) } }

  /// Nothing of a volume is left on this host.
  func expectClean(sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(try mountPoints().isEmpty, sourceLocation: sourceLocation)
    #expect(try loops().isEmpty, sourceLocation: sourceLocation)
    let names = try Directory.names(in: "/sys/block").compactMap { FileContents.line("/sys/block/\($0)/dm/name") }
    #expect(!names.contains { $0.hasPrefix(Encryption.namePrefix) }, sourceLocation: sourceLocation)
  }

  private func clear() async {
    for path in (try? mountPoints())?.reversed() ?? [] { try? Mount.unmount(path) }
    let own = (try? loops()) ?? []
    for device in (try? opened()) ?? [] {
      for loop in (try? LoopDevice.attached(to: device.path)) ?? [] { try? loop.detach() }
      _ = try? await Command.run(["dmsetup", "remove", "--retry", device.name], limit: .seconds(30))
    }
    for loop in own { try? loop.detach() }
    _ = try? await Command.run(["rm", "-rf", "--one-file-system", root], limit: .seconds(30))
  }
}

// The messages that the tests send.
extension EncryptedHost {
  static func mount(_ type: String = "ext4") -> CSI.VolumeCapability {
    CSI.VolumeCapability(
      accessType: .mount(.init(fsType: type)), accessMode: .init(mode: .singleNodeWriter))
  }

  static let block = CSI.VolumeCapability(
    accessType: .block(.init()), accessMode: .init(mode: .singleNodeWriter))

  @discardableResult
  func create(
    _ name: String = "pvc-1", mib: Int64 = 32, _ capability: CSI.VolumeCapability = mount(),
    parameters: [String: String] = encrypted, source: VolumeContentSource? = nil
  ) async throws -> CSI.Volume {
    let response = try await controller.createVolume(
      CreateVolumeRequest(
        name: name, capacityRange: .init(requiredBytes: mib << 20), volumeCapabilities: [capability],
        parameters: parameters, volumeContentSource: source))
    return try #require(response.volume)
  }

  func stage(
    _ id: String = "pvc-1", _ capability: CSI.VolumeCapability = mount(), at path: String? = nil,
    passphrase: String? = EncryptedHost.passphrase
  ) async throws {
    _ = try await node.nodeStageVolume(
      NodeStageVolumeRequest(
        volumeID: id, stagingTargetPath: path ?? staging, volumeCapability: capability,
        secrets: SecretMap(passphrase.map { ["passphrase": $0] } ?? [:])))
  }

  func publish(
    _ id: String = "pvc-1", _ capability: CSI.VolumeCapability = mount(), readonly: Bool = false
  ) async throws {
    _ = try await node.nodePublishVolume(
      NodePublishVolumeRequest(
        volumeID: id, stagingTargetPath: staging, targetPath: target, volumeCapability: capability,
        readonly: readonly))
  }

  func unpublish(_ id: String = "pvc-1") async throws {
    _ = try await node.nodeUnpublishVolume(NodeUnpublishVolumeRequest(volumeID: id, targetPath: target))
  }

  func unstage(_ id: String = "pvc-1", at path: String? = nil) async throws {
    _ = try await node.nodeUnstageVolume(
      NodeUnstageVolumeRequest(volumeID: id, stagingTargetPath: path ?? staging))
  }

  func expand(_ id: String = "pvc-1", mib: Int64, at path: String) async throws {
    let range = CSI.CapacityRange(requiredBytes: mib << 20)
    let answer = try await controller.controllerExpandVolume(
      ControllerExpandVolumeRequest(volumeID: id, capacityRange: range))
    #expect(answer.nodeExpansionRequired)
    _ = try await node.nodeExpandVolume(NodeExpandVolumeRequest(volumeID: id, volumePath: path, capacityRange: range))
  }
}

/// Expects an error that the error table answers with one of `codes`.
@discardableResult
func expectStatus(
  _ codes: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async -> String {
  do {
    _ = try await body()
    Issue.record("nothing was thrown instead of \(codes)", sourceLocation: sourceLocation)
    return ""
  } catch {
    let status = Status(describing: error, deadlinePassed: false)
    #expect(codes.contains(status.code.name), "\(status.message)", sourceLocation: sourceLocation)
    return status.message
  }
}

func save(_ text: String, in path: String) throws {
  let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
  guard file >= 0 else { throw SystemCallError("open", path: path, errno: errno) }
  defer { close(file) }
  let bytes = Array(text.utf8)
  guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
    throw SystemCallError("write", path: path, errno: errno)
  }
}

func load(_ path: String, _ count: Int? = nil) throws -> String {
  let bytes = try FileContents.read(path, limit: 1 << 30)
  return String(decoding: count.map { bytes.prefix($0) } ?? bytes[...], as: UTF8.self)
}
