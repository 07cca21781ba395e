import Glibc
import Host
import Storage

extension NodeService {
  /// Brings the volume's file system to `path`: made if the volume was never used, checked, mounted, grown to the
  /// device, owned by the wanted group. What fails after the mount is unmounted again.
  func mountVolume(
    _ id: QualifiedID, _ mount: MountCapability, _ device: String, at path: String, readOnly: Bool,
    _ backend: any Backend
  ) async throws {
    let type = try await prepareFilesystem(id, mount.filesystem, device, readOnly: readOnly, backend)
    let mayGrow = !readOnly && !mount.asksReadOnly
    if !readOnly { try await Filesystem.check(type, device: device) }
    // Where the kernel will refuse to grow it mounted, this is the last chance.
    if mayGrow, !Filesystem.growsOnline(type) { try await Filesystem.growUnmounted(type, device: device) }
    let options = FilesystemMountOptions.options(
      type, flags: mount.flags, readOnly: readOnly, deviceIsReadOnly: try BlockDevice.isReadOnly(device))
    try mountDevice(device, type, at: path, options, hasFlags: !mount.flags.isEmpty)
    CrashPoint.stageAfterMount.reached()
    guard mayGrow else { return }
    do {
      try Filesystem.grow(type, mountPoint: path, device: device)
      if let group = mount.group { try VolumeOwnership.give(path, to: group) }
    } catch {
      try? Mount.unmount(path)
      throw error
    }
  }

  /// - Throws: `.invalid` when the CO's flags are refused, `.precondition` when the file system is mounted elsewhere and
  ///   cannot be mounted otherwise (read-only beside writable) too, `.busy` while something else holds the device.
  private func mountDevice(
    _ device: String, _ type: FilesystemType, at path: String, _ options: [String], hasFlags: Bool
  ) throws {
    do {
      try Mount.filesystem(device, at: path, type: type.rawValue, options: options)
    } catch let error as SystemCallError where error.errno == EINVAL && hasFlags {
      throw StorageError.invalid("the kernel refuses the mount, most likely for its flags: \(error)")
    } catch let error as SystemCallError where error.errno == EBUSY {
      guard let other = try MountTable.read().entries(ofDevice: device).first else {
        throw StorageError.busy("\(device) is in use")
      }
      throw StorageError.precondition("the volume is mounted at \(other.mountPoint) with other options")
    }
  }

  /// - Returns: the type of the file system that the device holds now.
  private func prepareFilesystem(
    _ id: QualifiedID, _ wanted: FilesystemType?, _ device: String, readOnly: Bool, _ backend: any Backend
  ) async throws -> FilesystemType {
    let decision = try FormatDecision.decide(
      state: try await backend.formatState(id.native), content: try DeviceContent.probe(device), wanted: wanted,
      fallback: backend.defaultFilesystem, readOnly: readOnly)
    switch decision {
    case .mount(let type): return type
    case .adopt(let type):
      try await backend.setFormatState(.formatted, for: id.native)
      return type
    case .renew(let type):
      try await Filesystem.renewIdentity(type, device: device)
      CrashPoint.stageIdentityRenewed.reached()
      try await backend.setFormatState(.formatted, for: id.native)
      return type
    case .make(let type):
      try await make(type, id, device, backend)
      return type
    }
  }

  private func make(_ type: FilesystemType, _ id: QualifiedID, _ device: String, _ backend: any Backend) async throws {
    let isRecorded = try await backend.formatState(id.native) != .unrecorded
    let options = try await backend.formatOptions(for: id.native, type: type)
    if isRecorded { try await backend.setFormatState(.formatting(type), for: id.native) }
    CrashPoint.stageFormatBegun.reached()
    try await Filesystem.make(type, on: device, options: options)
    CrashPoint.stageAfterMkfs.reached()
    if isRecorded { try await backend.setFormatState(.formatted, for: id.native) }
    CrashPoint.stageFormatted.reached()
  }
}

/// The options of a volume's first mount on a node.
enum FilesystemMountOptions {
  /// A read-only device cannot replay a journal; it is mounted as it is.
  static func options(
    _ type: FilesystemType, flags: [String], readOnly: Bool, deviceIsReadOnly: Bool
  ) -> [String] {
    var options = flags + Filesystem.mountOptions(type)
    if readOnly || deviceIsReadOnly { options.append("ro") }
    if deviceIsReadOnly {
      switch type {
      case .ext4: options.append("noload")
      case .xfs: options.append("norecovery")
      case .btrfs: options.append("rescue=nologreplay")
      }
    }
    return options
  }
}

extension MountCapability {
  /// The CO wrote `ro` among the mount flags: the volume may be formatted, but is never written to by its users.
  var asksReadOnly: Bool { flags.contains("ro") }
}

extension MountEntry {
  /// The first visible thing in which this mount is not what a request asks for, or nil. Options that the kernel does
  /// not show cannot be compared.
  func difference(from mount: MountCapability, readOnly: Bool) -> String? {
    if let wanted = mount.filesystem, wanted.rawValue != type { return "file system \(type)" }
    // Of the mount, not of the file system: that one goes read-only by itself after an error.
    let isReadOnly = options.contains("ro")
    if isReadOnly != (readOnly || mount.asksReadOnly) { return isReadOnly ? "read-only access" : "write access" }
    let shown = Set(options + superOptions)
    for flag in mount.flags {
      if Self.visibleFlags.contains(flag), !shown.contains(flag) { return "other mount flags" }
      if flag.hasPrefix("context="), !shown.contains(where: { $0.hasPrefix("context=") && flag.equalsLabel($0) }) {
        return "another SELinux context"
      }
    }
    let asked = Set(mount.flags)
    let unasked = ["nosuid", "nodev", "noexec", "noatime", "sync"].first { options.contains($0) && !asked.contains($0) }
    return unasked == nil ? nil : "other mount flags"
  }

  private static let visibleFlags: Set<String> = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "sync"]
}

extension String {
  /// Whether two options give the same value, quoted or not.
  fileprivate func equalsLabel(_ other: String) -> Bool {
    filter { $0 != "\"" } == other.filter { $0 != "\"" }
  }
}
