import Glibc
import Host

/// What the kernel says, read here and now.
enum HostState {
  /// Mounts at or below `path`, the innermost last.
  static func mounts(below path: String) -> [MountEntry] {
    let entries = (try? MountTable.read().entries) ?? []
    return entries.filter { $0.mountPoint == path || $0.mountPoint.hasPrefix(path + "/") }
  }

  /// Loop devices over files below `path` and those files.
  static func loopDevices(below path: String) -> [String: String] {
    var found: [String: String] = [:]
    for name in Files.names("/sys/block") where name.hasPrefix("loop") {
      let file = Files.text("/sys/block/\(name)/loop/backing_file")
      if file.hasPrefix(path + "/") { found["/dev/" + name] = String(file.dropLast()) }
    }
    return found
  }

  /// Mount points of a device's file system.
  static func mounts(of device: String) -> [String] {
    ((try? MountTable.read().entries) ?? []).filter { $0.source == device }.map(\.mountPoint)
  }

  /// Loop devices over any of these files or devices.
  static func loopDevices(over files: Set<String>) -> [String: String] {
    var found: [String: String] = [:]
    for name in Files.names("/sys/block") where name.hasPrefix("loop") {
      let file = String(Files.text("/sys/block/\(name)/loop/backing_file").dropLast())
      if files.contains(file) { found["/dev/" + name] = file }
    }
    return found
  }

  /// This program's own file.
  static var executable: String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &buffer, buffer.count)
    return length > 0 ? String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}

extension Server {
  /// Mount points of volumes; the data directory's own does not count.
  var mounts: [String] { HostState.mounts(below: directory).map(\.mountPoint).filter { $0 != data } }

  /// Devices that volumes are connected to, and what is behind them.
  var devices: [String: String] {
    switch Backend.underTest {
    case .file: return HostState.loopDevices(below: directory).filter { $0.value != directory + "/disk" }
    case .lvm:
      let mapped = VolumeGroup.devices
      let places = Set(mapped.keys).union(mapped.values.map { "/dev/mapper/" + $0 })
      return mapped.merging(HostState.loopDevices(over: places)) { one, _ in one }
    }
  }

  /// What volumes and snapshots are kept in, whether the server knows it or not: paths or logical volumes.
  func stored() async throws -> Set<String> {
    switch Backend.underTest {
    case .file: Files.tree(data)
    case .lvm: try await VolumeGroup.logicalVolumes()
    }
  }

  func mounts(at path: String) -> [MountEntry] { HostState.mounts(below: path).filter { $0.mountPoint == path } }
}
