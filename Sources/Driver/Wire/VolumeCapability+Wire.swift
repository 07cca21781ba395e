import CSI
import Storage

extension VolumeCapability {
  /// - Throws: `.invalid` unless exactly one access type and a known mode are given.
  init(validating wire: CSI.VolumeCapability) throws {
    guard let mode = wire.accessMode?.mode, let known = AccessMode(rawValue: mode.name) else {
      throw StorageError.invalid("volume_capability needs a known access_mode")
    }
    switch wire.accessType {
    case .block: self.init(.block, known)
    case .mount(let mount): self.init(.mount(try MountCapability(validating: mount)), known)
    case nil: throw StorageError.invalid("volume_capability needs an access type, block or mount")
    }
  }

  /// - Throws: `.invalid` when the capability is missing too.
  static func required(_ wire: CSI.VolumeCapability?) throws -> Self {
    guard let wire else { throw StorageError.invalid("volume_capability is required") }
    return try Self(validating: wire)
  }

  /// At least one; a volume is used as a device or through one file system, never both.
  static func list(_ wire: [CSI.VolumeCapability]) throws -> [Self] {
    guard !wire.isEmpty else { throw StorageError.invalid("volume_capabilities is required") }
    let list = try wire.map(Self.init(validating:))
    guard Set(list.map(\.type)).count == 1 else {
      throw StorageError.invalid("volume_capabilities mixes block and mount")
    }
    guard Set(list.compactMap { $0.mount?.filesystem }).count <= 1 else {
      throw StorageError.invalid("volume_capabilities asks for several file systems at once")
    }
    return list
  }

  var wire: CSI.VolumeCapability {
    var wire = CSI.VolumeCapability()
    var mode = CSI.VolumeCapability.AccessMode()
    mode.mode = .init(name: self.mode.rawValue) ?? .unknown
    wire.accessMode = mode
    switch access {
    case .block: wire.accessType = .block(.init())
    case .mount(let mount):
      var wireMount = CSI.VolumeCapability.MountVolume()
      wireMount.fsType = mount.filesystem?.rawValue ?? ""
      wireMount.mountFlags = mount.flags
      wireMount.volumeMountGroup = mount.group.map(String.init) ?? ""
      wire.accessType = .mount(wireMount)
    }
    return wire
  }
}

extension MountCapability {
  init(validating wire: CSI.VolumeCapability.MountVolume) throws {
    guard wire.mountFlags.reduce(0, { $0 + $1.utf8.count }) <= 4096 else {
      throw StorageError.invalid("mount_flags has more than 4096 bytes")
    }
    self.init(
      filesystem: try FilesystemType.parsing(FieldRules.optional(wire.fsType, "fs_type")),
      flags: wire.mountFlags.filter { !$0.isEmpty }, group: try Self.group(wire.volumeMountGroup))
  }

  /// A decimal group id; the largest number means "no group" to the kernel and is refused.
  private static func group(_ text: String) throws -> UInt32? {
    guard !text.isEmpty else { return nil }
    let isDecimal = text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    guard isDecimal, let group = UInt32(text), group != .max else {
      throw StorageError.invalid("volume_mount_group must be a decimal group id")
    }
    return group
  }
}

extension StorageBackend {
  /// - Throws: `.invalid` when one of the capabilities cannot be honoured.
  func checkSupport(_ capabilities: [VolumeCapability]) throws {
    for capability in capabilities where !accessModes(for: capability.type).contains(capability.mode) {
      throw StorageError.invalid("\(capability.mode.rawValue) is not supported for \(capability.type.rawValue) volumes")
    }
  }
}
