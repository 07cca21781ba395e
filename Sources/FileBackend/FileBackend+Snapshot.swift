import Storage

extension FileBackend: SnapshottingBackend, CloningBackend {
  package func snapshotID(forName name: String) -> NativeID? { Identifier.derived(from: name) }

  package func snapshot(_ id: NativeID) async throws -> Snapshot? { try snapshotRecord(id)?.snapshot }

  package func snapshot(named name: String) async throws -> Snapshot? { try snapshotRecord(named: name)?.snapshot }

  func snapshotRecord(_ id: NativeID) throws -> SnapshotRecord? {
    try catalogue { catalogue in
      try catalogue.checkUndamaged(.snapshot, id)
      return catalogue.snapshots[id]
    }
  }

  private func snapshotRecord(named name: String) throws -> SnapshotRecord? {
    guard let record = try snapshotRecord(Identifier.derived(from: name)) else { return nil }
    guard record.name == name else {
      throw StorageError.incompatible("the id \(record.id) of this name belongs to a snapshot of another name")
    }
    return record
  }

  package func snapshots(source: NativeID?, after: NativeID?, limit: Int) async throws -> [Snapshot] {
    try catalogue { $0.snapshots(source: source, after: after, limit: limit) }.map(\.snapshot)
  }

  package func createSnapshot(_ spec: SnapshotSpec) async throws -> Snapshot {
    if let existing = try snapshotRecord(named: spec.name) {
      guard existing.source == spec.source else {
        throw StorageError.incompatible("snapshot \(existing.id) is of volume \(existing.source)")
      }
      return existing.snapshot
    }
    let volume = try existing(spec.source)
    try checkSpace(forCopiesOf: [volume])
    let id = Identifier.derived(from: spec.name)
    let work = layout.unique(in: layout.work, for: id)
    let record: SnapshotRecord
    do {
      CrashPoint.snapshotBegun.reached()
      let created = try await cut([Cut(volume: volume, directory: work)], under: work) {
        CrashPoint.snapshotFrozen.reached()
      }
      CrashPoint.snapshotCopied.reached()
      record = SnapshotRecord(of: volume, id: id, name: spec.name, created: created, group: nil)
      try await seal(record, in: work)
      CrashPoint.snapshotBeforeRename.reached()
      try appear(work, as: layout.directory(of: record), in: layout.snapshots)
      CrashPoint.snapshotAfterRename.reached()
    } catch {
      try? disk.removeTree(work)
      throw error
    }
    try catalogue { $0.insert(record) }
    return record.snapshot
  }

  /// Writes the record beside the data that was cut, and both out to the disk; the directory is not synced yet.
  func seal(_ record: SnapshotRecord, in directory: String) async throws {
    let metadata = try disk.create(directory + "/snapshot.json", holding: record.encoded)
    try disk.sync(metadata)
    try await syncCopy(directory + "/data")
  }

  package func deleteSnapshot(_ id: NativeID, secrets: Secrets) async throws {
    guard let record = try snapshotRecord(id) else { return }
    if let group = record.group {
      throw StorageError.invalid("snapshot \(id) is a member of group \(group) and is deleted with it")
    }
    try vanish(layout.directory(of: record), of: id, in: layout.snapshots) {
      try catalogue { $0.remove(snapshot: id) }
    }
  }

  /// Copies that share no blocks take space that must not have been promised to volumes.
  /// - Throws: `.exhausted`.
  func checkSpace(forCopiesOf volumes: [VolumeRecord]) throws {
    guard !sharesBlocks else { return }
    var needed = ByteCount.zero
    for volume in volumes {
      needed = needed + (try disk.usage(of: layout.data(ofVolume: volume.id))?.allocated ?? .zero)
    }
    let available = try available()
    guard needed <= available else {
      throw StorageError.exhausted("the copy takes \(needed.bytes) bytes and \(available.bytes) are left")
    }
  }
}

extension SnapshotRecord {
  init(of volume: VolumeRecord, id: NativeID, name: String, created: Timestamp, group: NativeID?) {
    self.init(
      id: id, name: name, source: volume.id, size: volume.capacity, created: created, content: volume.content,
      format: volume.format, encryption: VolumeEncryption(canonical: volume.parameters), group: group)
  }
}
