import Host
import Storage

/// Active means connected: the kernel has a device of the volume exactly while a node uses it.
extension LVMBackend: NodeBackend, EphemeralBackend {
  /// The logical volume's device; the kernel refuses writes to it when the connection or its publish context says
  /// read-only. A volume that is connected for writing already is given to readers as well: their mounts are read-only.
  package func connect(_ id: NativeID, _ connection: NodeConnection) async throws -> NodeSource {
    let record = try await existing(id)
    try checkIsWiped(record)
    let readOnly = connection.readOnly || connection.publishContext[LocalAttachment.readOnlyKey] == "true"
    let wasActive = try DeviceMapper.info(record.path) != nil
    try await lvm.activate(record.path)
    let device = try devicePath(of: record.path)
    CrashPoint.connectAttached.reached()
    if try BlockDevice.isReadOnly(device) {
      if !readOnly { throw StorageError.precondition("volume \(id) is connected read-only as \(device)") }
    } else if readOnly, !wasActive {
      try BlockDevice.setReadOnly(device, true)
    }
    return .block(device: device)
  }

  /// Asks the kernel alone.
  package func connected(_ id: NativeID) async throws -> NodeSource? {
    try checkPrepared()
    return try activePath(id).map { .block(device: DeviceMapper.devicePath(of: $0.path)) }
  }

  package func disconnect(_ id: NativeID) async throws {
    try checkPrepared()
    guard let (path, info) = try activePath(id) else { return }
    guard try await isOurs(path, id) else { return }
    let users = try Users(of: DeviceNumber(major: info.major, minor: info.minor))
    guard users.isEmpty else { throw StorageError.precondition("volume \(id) is in use\(users.description)") }
    let device = try devicePath(of: path)
    if try !BlockDevice.isReadOnly(device) { try BlockDevice.flush(device) }
    try await waitUntilClosed(path)
    try await lvm.deactivate(path)
  }

  package func refreshSize(_ id: NativeID) async throws -> ByteCount {
    let record = try await existing(id)
    try checkIsWiped(record)
    if try DeviceMapper.info(record.path) != nil {
      let shown = try BlockDevice.size(devicePath(of: record.path))
      guard shown >= record.capacity else {
        throw StorageError.unavailable("the device of volume \(id) shows \(shown) of \(record.capacity)")
      }
    }
    return record.capacity
  }

  /// What an expansion added is overwritten before anything may reach there: a file system that grows to its device, or
  /// a user of the device. Until that is done, nobody new gets to see the device, nor its new size.
  /// - Throws: `.busy`.
  private func checkIsWiped(_ record: VolumeRecord) throws {
    // With nothing added yet there is nothing to be seen.
    guard record.wipedSize.map({ $0 >= record.size }) ?? true else {
      throw StorageError.busy("the growth of volume \(record.id) is not wiped yet: repeat ControllerExpandVolume")
    }
  }

  package func formatState(_ id: NativeID) async throws -> FormatState { try await existing(id).format }

  package func setFormatState(_ state: FormatState, for id: NativeID) async throws {
    let record = try await existing(id)
    guard record.format != state else { return }
    var changed = record
    changed.format = state
    try await update(record, to: changed)
    CrashPoint.formatRecorded.reached()
  }

  package func formatOptions(for id: NativeID, type: FilesystemType) async throws -> [String] {
    let arguments = MkfsOptions.split(try await existing(id).parameters["mkfsOptions"] ?? "")
    try MkfsOptions.check(arguments, for: type)
    return arguments
  }

  package func encryption(of id: NativeID) async throws -> VolumeEncryption? { try await existing(id).encryption }

  /// After an unmount, or a close by somebody who could write, udev and its like look at the device for a moment.
  /// - Throws: `.busy` when it is still open after five seconds.
  func waitUntilClosed(_ path: LVPath) async throws {
    for _ in 0..<100 {
      guard let info = try DeviceMapper.info(path), info.openCount > 0 else { return }
      try? await Task.sleep(for: .milliseconds(50))
    }
    throw StorageError.busy("\(DeviceMapper.devicePath(of: path)) is still open somewhere")
  }

  /// Where the volume of this id is active.
  private func activePath(_ id: NativeID) throws -> (path: LVPath, info: DeviceMapper.Info)? {
    guard let local = LocalID(parsing: id, as: .volume) else { return nil }
    for group in groupNames {
      let path = LVPath(group, local.name)
      if let info = try DeviceMapper.info(path), info.uuid.hasPrefix("LVM-") { return (path, info) }
    }
    return nil
  }

  /// False when the tags say that another driver made it, or that its id is another one. Damaged tags do not.
  private func isOurs(_ path: LVPath, _ id: NativeID) async throws -> Bool {
    guard let volume = try await lvm.volume(path) else { return true }
    do {
      return try VolumeRecord(volume, at: path, owner: configuration.name)?.id == id
    } catch {
      return true
    }
  }

  /// The node of an active volume's device, which is checked to be that device's.
  func devicePath(of path: LVPath) throws -> String {
    let device = DeviceMapper.devicePath(of: path)
    guard let info = try DeviceMapper.info(path) else {
      throw StorageError.unavailable("\(path) is not active")
    }
    let number = try DeviceNumber.of(device: device)
    guard number == DeviceNumber(major: info.major, minor: info.minor) else {
      throw StorageError.failed("\(device) is \(number), not the device \(info.major):\(info.minor) of \(path)")
    }
    return device
  }
}
