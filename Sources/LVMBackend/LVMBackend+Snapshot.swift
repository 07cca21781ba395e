import Host
import Storage

extension LVMBackend: SnapshottingBackend {
  /// Snapshots take no parameters of their own. Checked and left out: `snapSize`, the space that thick snapshots of
  /// other drivers set aside (thin ones take what they need from the pool), and the deprecated `csi...SecretName` and
  /// `csi...SecretNamespace` keys, which some sidecars leave in.
  package func canonical(snapshotParameters: [String: String]) throws -> [String: String] {
    for (key, value) in snapshotParameters {
      switch key {
      case "snapSize":
        let percent = value.hasSuffix("%") ? Int(value.dropLast()) : nil
        guard percent.map({ 1...100 ~= $0 }) ?? (ByteCount(parsing: value).map { $0 > .zero } ?? false) else {
          throw StorageError.invalid("snapSize must be a size or a percentage")
        }
      case _ where BlockParameters.isSecretReference(key): break
      default:
        throw StorageError.invalid("unknown snapshot parameter '\(key.prefix(64))'; there are none")
      }
    }
    return [:]
  }

  package func snapshotID(forName name: String) -> NativeID? {
    LocalID(.snapshot, name: Naming.derived(.snapshot, from: name), node: configuration.nodeID).id
  }

  package func snapshot(_ id: NativeID) async throws -> Snapshot? { try await visibleSnapshot(id)?.snapshot }

  package func snapshot(named name: String) async throws -> Snapshot? {
    try await snapshotRecord(named: name)?.snapshot
  }

  /// The record of a snapshot that exists for the CO: a member of a group does when the whole group does.
  func visibleSnapshot(_ id: NativeID) async throws -> SnapshotRecord? {
    guard let record = try await snapshotRecord(id) else { return nil }
    guard let group = record.group else { return record }
    return Group.isComplete(try await members(ofGroup: group.id)) ? record : nil
  }

  /// - Throws: `.notFound`, `.exhausted` when it lives on another node.
  func existingSnapshot(_ id: NativeID) async throws -> SnapshotRecord {
    if let record = try await visibleSnapshot(id) { return record }
    try checkIsHere(source: id)
    throw StorageError.notFound("there is no snapshot \(id.shortened)")
  }

  private func snapshotRecord(named name: String) async throws -> SnapshotRecord? {
    guard let record = try await anySnapshotRecord(Naming.derived(.snapshot, from: name)) else { return nil }
    guard record.name == name else {
      throw StorageError.incompatible("the id \(record.id) of this name belongs to a snapshot of another name")
    }
    return record
  }

  /// LVM suspends an active origin for the moment of the cut, which freezes its file system. The snapshot is never
  /// active.
  package func createSnapshot(_ spec: SnapshotSpec) async throws -> Snapshot {
    if let existing = try await snapshotRecord(named: spec.name) {
      guard existing.source == spec.source else {
        throw StorageError.incompatible("snapshot \(existing.id) is of volume \(existing.source)")
      }
      return existing.snapshot
    }
    let origin = try await thinOrigin(spec.source)
    try checkPool(origin.pool)
    let name = Naming.derived(.snapshot, from: spec.name)
    let record = SnapshotRecord(
      of: origin, id: LocalID(.snapshot, name: name, node: configuration.nodeID).id, name: spec.name,
      at: LVPath(origin.path.group, name), created: .now, group: nil)
    try await reserving(origin) {
      CrashPoint.snapshotBegun.reached()
      _ = try await cut(origin, order(record, of: origin))
      CrashPoint.snapshotCopied.reached()
    }
    return record.snapshot
  }

  /// Lets LVM cut. It sees to a file system on the origin itself, and cannot where that is frozen already. It misses
  /// one that lies above an encrypted origin, and btrfs, which the kernel does not find by its device: they are frozen
  /// for it.
  /// - Parameter order: the snapshot to make.
  func cut(_ origin: ThinOrigin, _ order: NewLogicalVolume) async throws -> LogicalVolume {
    guard origin.encryption != nil || origin.content == .filesystem(.btrfs), try DeviceMapper.info(origin.path) != nil
    else { return try await lvm.create(order) }
    let cut = try await PointInTime.cut(executable: configuration.executable, watching: false) {
      [DeviceMapper.devicePath(of: origin.path)]
    } body: {
      CrashPoint.snapshotFrozen.reached()
      // No pod is to stand still behind other commands.
      return try await lvm.create(order, patience: .seconds(5))
    }
    guard let cut else { throw StorageError.failed("\(origin.path) was not cut") }
    return cut
  }

  func order(_ record: SnapshotRecord, of origin: ThinOrigin) -> NewLogicalVolume {
    NewLogicalVolume(
      record.path, size: origin.size, kind: .snapshot(of: origin.path.name),
      tags: record.tags(owner: configuration.name))
  }

  package func deleteSnapshot(_ id: NativeID, secrets: Secrets) async throws {
    guard let record = try await visibleSnapshot(id) else {
      if try await snapshotRecord(id) == nil { try checkIsGone(id) }
      return
    }
    if let group = record.group {
      throw StorageError.invalid("snapshot \(id.shortened) is a member of group \(group.id) and is deleted with it")
    }
    CrashPoint.deleteBeforeRename.reached()
    try await lvm.remove(record.path)
    CrashPoint.deleteAfterRename.reached()
  }

  package func snapshots(source: NativeID?, after: NativeID?, limit: Int) async throws -> [Snapshot] {
    try checkPrepared()
    let groups = try await completeGroups()
    return try await page(.snapshot, after: after, limit: limit) { path, volume in
      guard let record = try SnapshotRecord(volume, at: path, owner: configuration.name),
        source == nil || record.source == source, record.group.map({ groups.contains($0.id) }) ?? true
      else { return nil }
      return (record.id, record.snapshot)
    }
  }
}
