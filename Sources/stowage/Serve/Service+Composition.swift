import Configuration
import FileBackend
import GRPC
import Glibc
import LVMBackend
import Logging
import Storage

extension Service {
  /// - Throws: `ConfigurationError` without an endpoint, or for one that is no socket path.
  static func endpoint(_ settings: Configuration) throws -> Endpoint {
    guard let text = settings.endpoint else {
      throw ConfigurationError("no endpoint: set CSI_ENDPOINT or give --endpoint unix:///run/csi/csi.sock")
    }
    do { return try Endpoint(parsing: text) } catch { throw ConfigurationError("\(error)", source: "endpoint") }
  }

  /// One line for each kind of backend.
  static func backend(_ entry: BackendConfiguration, _ settings: Configuration, _ node: NodeID) throws -> Backend {
    switch entry.kind {
    case .file(let file): try fileBackend(entry.name, file, settings, node)
    case .lvm(let lvm):
      LVMBackend(try lvmConfiguration(entry.name, lvm, settings, node), logger: Logger(label: "lvm"))
    }
  }

  private static func fileBackend(
    _ name: BackendName, _ file: FileBackendConfiguration, _ settings: Configuration, _ node: NodeID
  ) throws -> FileBackend {
    FileBackend(
      try FileBackend.Configuration(
        name: name, directory: file.directory, nodeID: node,
        topologies: [Topology(["\(settings.driverName)/node": node.rawValue])],
        overprovisionRatio: file.overprovision, defaultSize: file.defaultSize, minimumSize: file.minimumSize,
        maximumSize: file.maximumSize, defaultFilesystem: file.defaultFilesystem, directIO: file.directIO,
        executable: "/proc/self/exe"))
  }

  /// - Throws: `StorageError.invalid` when values make no sense together.
  static func lvmConfiguration(
    _ name: BackendName, _ lvm: LVMSettings, _ settings: Configuration, _ node: NodeID
  ) throws -> LVMBackendConfiguration {
    try LVMBackendConfiguration(
      name: name, nodeID: node, topologies: [Topology(["\(settings.driverName)/node": node.rawValue])],
      classes: lvm.classes.map(deviceClass), defaultSize: lvm.defaultSize, minimumSize: lvm.minimumSize,
      maximumSize: lvm.maximumSize, defaultFilesystem: lvm.defaultFilesystem, executable: "/proc/self/exe",
      // Two drivers, or two backends of one, must not wait for each other's worker.
      runtimeDirectory: "\(lvm.runtimeDirectory)/\(settings.driverName)/\(name)", lockDirectory: lvm.lockDirectory)
  }

  private static func deviceClass(_ one: DeviceClassSettings) -> DeviceClass {
    let layout: DeviceClass.Layout =
      switch one.layout {
      case .thin(let pool): .thin(pool: pool)
      case .linear: .linear
      case .striped(let stripes): .striped(stripes)
      case .raid1(let copies): .raid1(copies)
      }
    let wipe: DeviceClass.Wipe =
      switch one.wipe {
      case .delete: .delete
      case .create: .create
      case .none: .none
      }
    return DeviceClass(
      name: one.name, volumeGroup: one.volumeGroup, volumeGroupUUID: one.volumeGroupUUID, layout: layout,
      overprovision: one.overprovision, wipe: wipe,
      autoExtend: one.autoExtendThreshold.map { .init(threshold: $0, step: one.autoExtendStep) })
  }

  /// - Throws: `ConfigurationError` when the host has none.
  static func hostName() throws -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let result = gethostname(&buffer, buffer.count - 1)
    let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard result == 0, !name.isEmpty else { throw ConfigurationError("the host has no name: give --node-id") }
    return name
  }
}
