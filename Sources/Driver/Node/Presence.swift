import Host
import Storage

/// Where one connected volume shows on this host, as the mount table tells it now.
struct Presence: Sendable {
  let source: NodeSource
  private let table: MountTable
  /// The mounts of the volume's file system.
  let mounts: [MountEntry]

  init(of source: NodeSource) throws {
    self.source = source
    table = try MountTable.read()
    switch source {
    case .block(let device): mounts = table.entries(ofDevice: device)
    case .filesystem(let remote, let type, _):
      mounts = table.entries.filter { $0.source == remote && $0.type.hasPrefix(type) }
    }
  }

  /// The visible mount at `path` when it is the volume's.
  func mount(at path: String) -> MountEntry? {
    guard let top = table.entries(at: path).last, mounts.contains(top) else { return nil }
    return top
  }

  /// Whether anything, the volume or another, is mounted at `path`.
  func isMountPoint(_ path: String) -> Bool { !table.entries(at: path).isEmpty }

  /// Whether the volume is among what is mounted at `path`, also below something else.
  func shows(at path: String) throws -> Bool {
    let stack = table.entries(at: path)
    if stack.contains(where: mounts.contains) { return true }
    return try !stack.isEmpty && deviceBinds().contains { $0.path == path }
  }

  /// Bind mounts of the volume's device node, or of a read-only loop device over it.
  func deviceBinds() throws -> [DeviceBind] {
    guard case .block(let device) = source else { return [] }
    return try binds(of: device, isReadOnly: false)
      + LoopDevice.attached(to: device, readOnly: true).flatMap { try binds(of: $0.path, isReadOnly: true) }
  }

  func deviceBind(at path: String) throws -> DeviceBind? {
    guard isMountPoint(path) else { return nil }
    return try deviceBinds().first { $0.path == path }
  }

  /// Read-only loop devices over the volume's device that no target shows.
  func idleReadOnlyLoops() throws -> [LoopDevice] {
    guard case .block(let device) = source else { return [] }
    return try LoopDevice.attached(to: device, readOnly: true).filter {
      try binds(of: $0.path, isReadOnly: true).isEmpty && table.entries(ofDevice: $0.path).isEmpty
    }
  }

  /// A bind mount of a device node shows the node's name as its root; the node itself says which device it is. What
  /// looks like a node may be a link to one: udev links /dev/mapper/vg-lv to /dev/dm-3.
  private func binds(of device: String, isReadOnly: Bool) throws -> [DeviceBind] {
    let number = try DeviceNumber.of(device: device)
    let names = Set([device, HostPath.resolve(device) ?? device].compactMap { $0.split(separator: "/").last })
    return table.entries.compactMap { entry in
      guard let name = entry.root.split(separator: "/").last, names.contains(name),
        (try? DeviceNumber.of(device: entry.mountPoint)) == number
      else { return nil }
      return DeviceBind(path: entry.mountPoint, isReadOnly: isReadOnly)
    }
  }
}

/// A file at which a volume's device node is mounted.
struct DeviceBind: Hashable, Sendable {
  let path: String
  let isReadOnly: Bool
}

extension NodeService {
  /// The file below a staging path that shows a raw block volume.
  static func devicePath(staging: String) -> String { staging + "/device" }

  /// Unmounts everything at `path`, the whole stack, when the volume is in it. Succeeds when nothing is mounted there.
  /// - Throws: `.precondition` when what is mounted there works and is not the volume: the path may be anybody's;
  ///   `.unavailable` when that cannot be told because it does not answer.
  func unmount(_ path: String, of id: QualifiedID) async throws {
    guard try MountTable.read().entries(at: path).isEmpty == false else { return }
    let source = try await registry.source(of: id)
    let isOurs = try source.map { try Presence(of: $0).shows(at: path) } ?? false
    if !isOurs {
      guard try await Self.isBroken(path) else {
        throw StorageError.precondition("what is mounted at \(path) is not volume \(id)")
      }
    }
    try Mount.unmount(path)
  }

  /// Whether a mount has lost what it shows (a device, a server) and answers with an error.
  /// - Throws: `.unavailable` when it does not answer at all: it may be somebody's, and only slow.
  private static func isBroken(_ path: String) async throws -> Bool {
    do {
      _ = try await FilesystemUsage.read(path, limit: .seconds(2))
      return false
    } catch is SystemCallError {
      return true
    }
  }

  /// Where the volume shows.
  /// - Throws: `.notFound` for an unknown volume, `.precondition` for one that is not connected here.
  func presence(of id: QualifiedID) async throws -> Presence {
    if let source = try await registry.source(of: id) { return try Presence(of: source) }
    _ = try await registry.volume(id)
    throw StorageError.precondition("volume \(id) is not staged on this node")
  }
}
