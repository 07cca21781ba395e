import Host
import Storage

extension LVMBackend {
  package func deleteVolume(_ id: NativeID, secrets: Secrets) async throws {
    try checkPrepared()
    guard let local = LocalID(parsing: id, as: .volume) else { return }
    guard let record = try await anyRecord(local.name), record.id == id else { return try checkIsGone(id) }
    if record.state == .deleted { return try await finishDeletion(of: record) }
    if let attachment = record.attachment {
      throw StorageError.precondition("volume \(id) is attached to node \(attachment.node)")
    }
    try checkUnused(record)
    CrashPoint.deleteBeforeRename.reached()
    guard record.state == .ready, try await isErasedAtDeletion(record) else {
      try await lvm.remove(record.path)
      return CrashPoint.deleteAfterRename.reached()
    }
    var deleted = record
    deleted.state = .deleted
    try await update(record, to: deleted)
    CrashPoint.deleteAfterRename.reached()
    try await finishDeletion(of: deleted)
  }

  /// Thick volumes by their class; thin ones where the disks below the pool are to know what is free: removing a thin
  /// volume tells the pool only.
  private func isErasedAtDeletion(_ record: VolumeRecord) async throws -> Bool {
    guard let volume = try await lvm.volume(record.path) else { return false }
    if volume.layout == .thin {
      guard let pool = volume.poolName.map({ LVPath(record.path.group, $0) }),
        let status = try DeviceMapper.poolStatus(pool)
      else { return false }
      return status.passesDiscards && status.mode == .writable
    }
    return deviceClass(named: record.deviceClass, of: volume, in: record.path.group).wipe == .delete
  }

  /// - Throws: `.precondition` while the volume is connected, with everything that uses it.
  private func checkUnused(_ record: VolumeRecord) throws {
    // Left active by a creation that did not come to its end.
    if record.state == .new { return }
    guard let info = try DeviceMapper.info(record.path) else { return }
    let users = try Users(of: DeviceNumber(major: info.major, minor: info.minor))
    throw StorageError.precondition(
      "volume \(record.id) is connected as \(DeviceMapper.devicePath(of: record.path))\(users.description)")
  }
}

/// Who uses a block device on this host, as far as this process can see.
struct Users: Sendable {
  private(set) var mountPoints: [String] = []
  /// Devices that are made of this one, such as `dm-3`.
  private(set) var holders: [String] = []

  init(of device: DeviceNumber) throws {
    let mounts = try MountTable.read()
    var pending = [(device, "/dev/block/\(device)")]
    while let (number, path) = pending.popLast() {
      // By path, for file systems that have a device number of their own.
      let found = mounts.entries(on: number) + mounts.entries(ofDevice: path)
      for entry in found where !mountPoints.contains(entry.mountPoint) { mountPoints.append(entry.mountPoint) }
      for name in (try? Directory.names(in: "/sys/dev/block/\(number)/holders")) ?? [] where !holders.contains(name) {
        holders.append(name)
        if let above = FileContents.line("/sys/class/block/\(name)/dev").flatMap({ DeviceNumber(parsing: $0) }) {
          pending.append((above, "/dev/\(name)"))
        }
      }
    }
  }

  var isEmpty: Bool { mountPoints.isEmpty && holders.isEmpty }

  /// For messages; empty or beginning with a comma.
  var description: String {
    let mounted = mountPoints.prefix(4).map { ", mounted at \($0.prefix(200))" }
    return (mounted + holders.prefix(4).map { ", held by \($0)" }).joined()
  }
}
