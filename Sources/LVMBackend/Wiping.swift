import Glibc
import Host
import Logging
import Storage

extension DeviceClass {
  /// Whether a new volume may show bytes of a former owner that must go before it is given out.
  func needsCleaning(for content: VolumeContent, _ encryption: VolumeEncryption?) -> Bool {
    guard !layout.isThin else { return false }
    // LVM makes mirrored volumes in two steps: until the second is done they cannot be used.
    if case .raid1 = layout { return true }
    return wipe == .create || content != .block || encryption != nil
  }
}

// Thick volumes show what the disk holds. What a class says about that is done here; thin pools zero by themselves.
extension LVMBackend {
  /// Overwrites what must not be seen of a new thick volume, then gives it out.
  ///
  /// Where the whole is not wiped at creation, at least the places go where signatures lie: remains of an old file
  /// system must neither be adopted nor keep a new one from being made.
  func cleaned(_ record: VolumeRecord, _ deviceClass: DeviceClass) async throws -> VolumeRecord {
    let end = record.size.bytes
    let head = min(end, 4 << 20)
    let tail = max(end - 1 << 20, head)
    try await overwrite(record.path, deviceClass.wipe == .create ? [0..<end] : [0..<head, tail..<end])
    var ready = record
    ready.state = .ready
    // In this order: what is left active by a crash is still half-made, and removed.
    try await lvm.deactivate(record.path)
    try await update(record, to: ready)
    return ready
  }

  /// Erases and removes a volume that is marked as deleted: discards a thin one, overwrites a thick one.
  /// - Throws: `.busy` while that is going on.
  func finishDeletion(of record: VolumeRecord) async throws {
    try await whileWiping(record.path) {
      // This may have waited: only what is still the same deleted volume goes.
      guard let present = try await anyRecord(record.path.name), present.state == .deleted else { return }
      if try await lvm.volume(record.path)?.layout == .thin {
        try await discard(record.path)
      } else {
        try await overwrite(record.path, [0..<present.size.bytes])
      }
      CrashPoint.deleteHalfUnlinked.reached()
      try await lvm.remove(record.path)
    }
  }

  /// Overwrites the part of a volume that an expansion added, then gives it out.
  func finishGrowth(of record: VolumeRecord) async throws -> VolumeRecord {
    guard record.wipedSize != nil else { return record }
    var grown = record
    try await whileWiping(record.path) {
      grown = try await wipeGrowth(of: record.id)
    }
    return grown
  }

  private func wipeGrowth(of id: NativeID) async throws -> VolumeRecord {
    // As it is now: this may have waited.
    let record = try await existing(id)
    guard let wiped = record.wipedSize else { return record }
    let isActive = try DeviceMapper.info(record.path) != nil
    if isActive, record.content == .block, record.encryption == nil {
      throw StorageError.precondition(
        "volume \(record.id) is in use as a raw device; its growth is wiped first, which takes it being disconnected")
    }
    if wiped < record.size {
      // Below a mounted file system, which does not reach there yet, the device is held by the mount.
      try await overwrite(record.path, [wiped.bytes..<record.size.bytes], exclusively: !isActive)
    }
    if !isActive { try await lvm.deactivate(record.path) }
    var grown = record
    grown.wipedSize = nil
    try await update(record, to: grown)
    return grown
  }

  /// - Throws: `.busy` while the volume's bytes are being overwritten.
  func checkIsNotBeingWiped(_ path: LVPath) throws {
    if state.withLock({ $0.wiping.contains(path) }) { throw StorageError.busy("\(path) is being overwritten") }
  }

  private func whileWiping(_ path: LVPath, _ body: () async throws -> Void) async throws {
    guard state.withLock({ $0.wiping.insert(path).inserted }) else {
      throw StorageError.busy("\(path) is being overwritten")
    }
    defer { _ = state.withLock { $0.wiping.remove(path) } }
    try await body()
  }

  /// Leaves the volume active. Disks that refuse are none the worse for it: the pool zeroes what it gives out.
  private func discard(_ path: LVPath) async throws {
    try await lvm.activate(path)
    let device = try devicePath(of: path)
    do {
      try await OwnThread.run("discard") { try BlockDevice.discard(device) }
    } catch let error as SystemCallError where error.errno != EBUSY {
      logger.warning("a discard failed", metadata: ["volume": "\(path)", "error": "\(error)"])
    }
    try await waitUntilClosed(path)
  }

  /// Leaves the volume active.
  private func overwrite(_ path: LVPath, _ ranges: [Range<Int64>], exclusively: Bool = true) async throws {
    try await lvm.activate(path)
    let device = try devicePath(of: path)
    try await OwnThread.run("wipe") { try BlockDevice.zero(device, ranges, exclusively: exclusively) }
    if exclusively { try await waitUntilClosed(path) }
  }
}
