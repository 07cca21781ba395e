import Host
import Logging
import Storage

extension LVMBackend {
  /// Starts LVM's worker, checks what the classes are made of, activates their pools, then finishes or removes what a
  /// crash left half-made. Overwriting deleted volumes goes on afterwards.
  ///
  /// - Throws: `.precondition` when a class is not what is configured or would show one owner's bytes to another.
  package func prepare() async throws {
    if state.withLock({ $0.isPrepared }) { return }
    try makeRuntimeDirectory()
    try await lvm.start()
    for one in configuration.classes { try await check(one) }
    state.withLock { $0.isPrepared = true }
    do {
      for record in try await volumeRecords() { await heal(record) }
      try await removeIncompleteGroups()
    } catch {
      state.withLock { $0.isPrepared = false }
      throw error
    }
    poolMonitor.start(lvm)
  }

  /// Usually on a file system that is empty after every boot, several levels down.
  private func makeRuntimeDirectory() throws {
    var path = ""
    do {
      for part in configuration.runtimeDirectory.split(separator: "/") {
        path += "/\(part)"
        if !HostPath.exists(path) { try HostPath.createDirectory(path, mode: 0o700) }
      }
    } catch let error as SystemCallError {
      throw error.storageError
    }
  }

  /// A command that hangs waits for a device that does not answer; the process that runs it cannot be killed. Costs no LVM command while nobody else changes the groups.
  package func checkReadiness() async throws {
    try checkPrepared()
    if let running = lvm.running, running > lvm.settings.hangLimit {
      throw StorageError.unavailable("an LVM command has been running for \(running.components.seconds) seconds")
    }
    for name in groupNames { _ = try await lvm.group(name) }
  }

  private func check(_ deviceClass: DeviceClass) async throws {
    let group = try await lvm.group(deviceClass.volumeGroup)
    if let wanted = deviceClass.volumeGroupUUID, wanted != group.uuid {
      throw StorageError.precondition(
        "device class \(deviceClass.name): volume group \(group.name) has uuid \(group.uuid), not \(wanted)")
    }
    switch deviceClass.layout {
    case .linear: break
    case .striped(let count), .raid1(let count):
      guard group.physicalVolumes.count >= count else {
        throw StorageError.precondition(
          "device class \(deviceClass.name) needs \(count) physical volumes; \(group.name) has "
            + "\(group.physicalVolumes.count)")
      }
    case .thin(let name):
      let path = LVPath(group.name, name)
      guard let pool = group.volumes[name], pool.layout == .thinPool else {
        throw StorageError.precondition("device class \(deviceClass.name): \(path) is not a thin pool")
      }
      guard pool.pool?.zeroes == true else {
        throw StorageError.precondition(
          "thin pool \(path) does not zero its chunks (lvchange --zero y \(path)): new volumes would show the bytes "
            + "of deleted ones")
      }
      let isFresh = try DeviceMapper.poolStatus(path) == nil
      if isFresh { try await lvm.activate(path) }
      try metadataSnapshots.releaseLeftover(path, isFresh: isFresh)
    }
  }

  /// What cannot be healed now is told of; a repeat of the call that began it heals it as well.
  private func heal(_ record: VolumeRecord) async {
    do {
      switch record.state {
      case .new:
        logger.notice("removing a volume that was never finished", metadata: ["volume": "\(record.path)"])
        try await lvm.remove(record.path)
      case .ready where record.size < record.wantedSize:
        try await lvm.extend(record.path, to: record.wantedSize)
      case .deleted:
        inBackground(record) { try await $0.finishDeletion(of: record) }
      case .ready where record.wipedSize != nil:
        inBackground(record) { _ = try await $0.finishGrowth(of: record) }
      case .ready: break
      }
    } catch {
      logger.warning("cannot heal a volume", metadata: ["volume": "\(record.path)", "error": "\(error)"])
    }
  }

  /// Overwriting may take hours.
  private func inBackground(_ record: VolumeRecord, _ work: @escaping @Sendable (LVMBackend) async throws -> Void) {
    Task.detached { [self] in
      do {
        try await work(self)
      } catch {
        logger.warning("cannot overwrite a volume", metadata: ["volume": "\(record.path)", "error": "\(error)"])
      }
    }
  }
}
