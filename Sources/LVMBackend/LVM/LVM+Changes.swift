import Glibc
import Host
import Storage

// Changes: one after another, each to its end whatever becomes of the caller; what they did is in the cache when they
// return. Changes to thin volumes are entered there, after others the group is read again when it is next used.
extension LVM {
  /// The volume is inactive, and what is in it was not touched.
  /// - Parameter patience: see `CommandQueue.run`.
  /// - Throws: `.incompatible` when there is a volume of that name, `.exhausted`, `.notFound` for a pool or an origin
  ///   that is not there.
  package func create(_ order: NewLogicalVolume, patience: Duration? = nil) async throws -> LogicalVolume {
    let command = try LVMCommand.create(order)
    return try await change("creating \(order.path)", order.path.group, patience: patience) { group in
      let reply = try self.execute(command)
      if order.kind.isThin, let facts = NewVolumeFacts(notes: reply.notes, path: order.path, groupUUID: group.uuid),
        let volume = Self.made(order, facts, in: group)
      {
        self.cache.update(group.name) { group in
          group.volumes[volume.name] = volume
          volume.poolName.map { group.volumes[$0]?.pool?.transactionID += 1 }
        }
        return volume
      }
      self.cache.invalidate(group.name)
      guard let volume = try self.refresh(group.name).volumes[order.path.name] else {
        throw StorageError.failed("\(order.path) was made, but LVM does not report it")
      }
      return volume
    }
  }

  /// The thin volume that a command made; nil when it cannot be told without a report.
  private static func made(
    _ order: NewLogicalVolume, _ facts: NewVolumeFacts, in group: VolumeGroup
  ) -> LogicalVolume? {
    var volume = LogicalVolume(
      name: order.path.name, uuid: facts.uuid, size: .zero, tags: order.tags, layout: .thin, thinID: facts.thinID,
      created: Int64(time(nil)))
    switch order.kind {
    case .thin(let pool):
      guard let size = order.size.rounded(upTo: group.extentSize.bytes) else { return nil }
      volume.size = size
      volume.poolName = pool
      volume.transactionID = group.volumes[pool]?.pool?.transactionID
    case .snapshot(let name):
      guard let origin = group.volumes[name], origin.layout == .thin else { return nil }
      volume.size = origin.size
      volume.poolName = origin.poolName
      volume.origin = name
      volume.transactionID = origin.poolName.flatMap { group.volumes[$0]?.pool?.transactionID }
    // LVM gives a snapshot the tags of its origin no more than we do.
    case .linear, .striped, .raid1: return nil
    }
    return volume
  }

  /// Succeeds when there is none.
  /// - Throws: `.precondition` while it is in use, or when other volumes would go with it.
  package func remove(_ path: LVPath) async throws {
    try LVMName.check(path)
    try await waitUntilUnused(path)
    try await change("removing \(path)", path.group) { group in
      guard let volume = group.volumes[path.name] else { return }
      guard !volume.isInternal, !volume.hasDependents, volume.layout != .thinPool else {
        throw StorageError.precondition("other volumes need \(path)")
      }
      try self.checkUnused(path)
      let reply = try self.execute(.remove(path, groupUUID: group.uuid))
      guard reply.output.contains("\"\(path.name)\" successfully removed") else {
        self.cache.invalidate(group.name)
        throw StorageError.precondition("\(path) was not removed: its volume group is not the one that it was")
      }
      guard volume.layout == .thin else { return self.cache.invalidate(group.name) }
      self.cache.update(group.name) { group in
        group.volumes[path.name] = nil
        volume.poolName.map { group.volumes[$0]?.pool?.transactionID += 1 }
        for name in group.volumes.keys where group.volumes[name]?.origin == path.name {
          group.volumes[name]?.origin = nil
        }
      }
    }
  }

  /// udev's programs look into a device for a moment after whoever wrote to it has closed it; the kernel tells nobody
  /// when a device is closed. At most a second, and no other command waits meanwhile.
  private func waitUntilUnused(_ path: LVPath) async throws {
    for _ in 0..<20 {
      guard let info = try DeviceMapper.info(path), info.openCount > 0 else { return }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// On the queue's thread. udev may begin to look only now, after `waitUntilUnused` found nobody: it gets half a second.
  private func checkUnused(_ path: LVPath) throws {
    for attempt in 0... {
      guard let info = try DeviceMapper.info(path), info.openCount > 0 else { return }
      guard attempt < 25 else {
        throw StorageError.precondition("\(path) is in use: its device \(info.major):\(info.minor) is open")
      }
      usleep(20_000)
    }
  }

  /// Succeeds when it is as large or larger.
  /// - Parameter size: rounded up to the group's extents.
  package func extend(_ path: LVPath, to size: ByteCount) async throws {
    let command = try LVMCommand.extend(path, to: size)
    try await change("extending \(path)", path.group) { group in
      let volume = try Self.existing(path, in: group)
      guard volume.size < size else { return try self.refreshDevice(of: volume, path, in: group) }
      _ = try self.execute(command)
      guard volume.layout == .thin, let rounded = size.rounded(upTo: group.extentSize.bytes) else {
        return self.cache.invalidate(group.name)
      }
      self.cache.update(group.name) { $0.volumes[path.name]?.size = rounded }
    }
  }

  /// An earlier command may have been cut off after LVM wrote the size down.
  private func refreshDevice(of volume: LogicalVolume, _ path: LVPath, in group: VolumeGroup) throws {
    guard let info = try DeviceMapper.info(path), info.isVolume(volume.uuid, ofGroup: group.uuid),
      let shown = try? BlockDevice.size(DeviceMapper.devicePath(of: path)), shown < volume.size
    else { return }
    _ = try execute(.refresh(path))
  }

  /// Tags that are there already, or are not, make no difference.
  package func changeTags(of path: LVPath, adding: Set<String>, removing: Set<String>) async throws {
    let command = try LVMCommand.changeTags(path, adding: adding, removing: removing.subtracting(adding))
    try await change("tagging \(path)", path.group) { group in
      let volume = try Self.existing(path, in: group)
      let wanted = volume.tags.subtracting(removing).union(adding)
      guard wanted != volume.tags else { return }
      _ = try self.execute(command)
      self.cache.update(group.name) { $0.volumes[path.name]?.tags = wanted }
    }
  }

  /// - Throws: `.incompatible` when there is a volume of the new name.
  package func rename(_ path: LVPath, to name: String) async throws {
    let command = try LVMCommand.rename(path, to: name)
    try await change("renaming \(path)", path.group) { group in
      let volume = try Self.existing(path, in: group)
      _ = try self.execute(command)
      guard volume.layout == .thin else { return self.cache.invalidate(group.name) }
      self.cache.update(group.name) { group in
        group.volumes[path.name] = nil
        var renamed = volume
        renamed.name = name
        group.volumes[name] = renamed
        for other in group.volumes.keys where group.volumes[other]?.origin == path.name {
          group.volumes[other]?.origin = name
        }
      }
    }
  }

  /// Makes its device. Costs no command when it is there.
  package func activate(_ path: LVPath) async throws {
    let command = try LVMCommand.activate(path)
    try await change("activating \(path)", path.group) { group in
      let volume = try Self.existing(path, in: group)
      if let info = try DeviceMapper.info(path), info.isVolume(volume.uuid, ofGroup: group.uuid),
        !info.isSuspended, info.hasTable
      {
        return
      }
      _ = try self.execute(command)
      // A pool's own device has a suffix in its uuid.
      guard volume.layout != .thinPool else { return }
      guard let info = try DeviceMapper.info(path), info.isVolume(volume.uuid, ofGroup: group.uuid) else {
        throw StorageError.failed("LVM activated \(path), but its device is not there")
      }
    }
  }

  /// Takes its device away. Succeeds, without a command, when there is none.
  /// - Throws: `.precondition` while it is in use.
  package func deactivate(_ path: LVPath) async throws {
    let command = try LVMCommand.deactivate(path)
    try await waitUntilUnused(path)
    try await change("deactivating \(path)", path.group) { group in
      guard group.volumes[path.name] != nil, try DeviceMapper.info(path) != nil else { return }
      try self.checkUnused(path)
      _ = try self.execute(command)
    }
  }

  /// Sizes that the pool's data and metadata are to have; nil: as it is.
  package func extendPool(_ path: LVPath, data: ByteCount?, metadata: ByteCount?) async throws {
    let commands = (
      metadata: try metadata.map { try LVMCommand.extendPool(path, metadata: $0) },
      data: try data.map { try LVMCommand.extend(path, to: $0) }
    )
    try await change("extending the pool \(path)", path.group) { group in
      guard let volume = group.volumes[path.name], let pool = volume.pool else {
        throw StorageError.notFound("there is no thin pool \(path)")
      }
      defer { self.cache.invalidate(group.name) }
      if let command = commands.metadata, let metadata, pool.metadataSize < metadata { _ = try self.execute(command) }
      if let command = commands.data, let data, volume.size < data { _ = try self.execute(command) }
    }
  }

  private static func existing(_ path: LVPath, in group: VolumeGroup) throws -> LogicalVolume {
    guard let volume = group.volumes[path.name], !volume.isInternal else {
      throw StorageError.notFound("there is no logical volume \(path)")
    }
    return volume
  }

  /// Runs `body` on the queue's thread with the group as it is then: it is the one that is configured.
  private func change<T: Sendable>(
    _ what: String, _ group: String, patience: Duration? = nil,
    _ body: @escaping @Sendable (VolumeGroup) throws -> T
  ) async throws -> T {
    guard settings.groups.keys.contains(group) else {
      throw StorageError.invalid("volume group \(group) is not configured")
    }
    do {
      return try await queue.run(what, patience: patience) {
        let now = try self.refresh(group)
        guard now.isWritable else { throw StorageError.precondition("volume group \(group) is read-only or exported") }
        return try body(now)
      }
    } catch let refusal as CommandQueue.Refusal {
      throw refusal.error
    }
  }
}
