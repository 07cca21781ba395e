import Storage

extension LVMBackend {
  /// The logical volume of this name in whichever of our groups has it.
  func logicalVolume(_ name: String) async throws -> (path: LVPath, volume: LogicalVolume)? {
    try checkPrepared()
    for group in groupNames {
      let path = LVPath(group, name)
      if let volume = try await lvm.volume(path) { return (path, volume) }
    }
    return nil
  }

  /// The record of a volume in any state, half-made and half-deleted ones too; nil when there is none.
  /// - Throws: `.dataLoss` when it is there but its tags are damaged.
  func anyRecord(_ name: String) async throws -> VolumeRecord? {
    guard Naming.kind(of: name) == .volume, let (path, volume) = try await logicalVolume(name) else { return nil }
    return try VolumeRecord(volume, at: path, owner: configuration.name)
  }

  /// The record of a volume that exists for the CO. An id is taken as it was given out only, node and all: calls for
  /// one volume exclude each other by its id.
  func record(_ id: NativeID) async throws -> VolumeRecord? {
    try checkPrepared()
    guard let local = LocalID(parsing: id, as: .volume), let record = try await anyRecord(local.name),
      record.isComplete, record.id == id
    else { return nil }
    return record
  }

  /// - Throws: `.notFound`.
  func existing(_ id: NativeID) async throws -> VolumeRecord {
    guard let record = try await record(id) else { throw StorageError.notFound("there is no volume \(id.shortened)") }
    return record
  }

  /// The record of the snapshot whose logical volume has this name, whatever node it was made on.
  /// - Throws: `.dataLoss` when it is there but its tags are damaged.
  func anySnapshotRecord(_ name: String) async throws -> SnapshotRecord? {
    guard Naming.kind(of: name) == .snapshot, let (path, volume) = try await logicalVolume(name) else { return nil }
    return try SnapshotRecord(volume, at: path, owner: configuration.name)
  }

  /// - Throws: `.dataLoss` when it is there but its tags are damaged.
  func snapshotRecord(_ id: NativeID) async throws -> SnapshotRecord? {
    guard let local = LocalID(parsing: id, as: .snapshot), let record = try await anySnapshotRecord(local.name),
      record.id == id
    else { return nil }
    return record
  }

  /// The records of all volumes in all states, in no order; damaged ones are left out.
  func volumeRecords() async throws -> [VolumeRecord] {
    try await logicalVolumes(.volume).compactMap { try? VolumeRecord($1, at: $0, owner: configuration.name) }
  }

  /// The records of all snapshots, in no order; damaged ones are left out.
  func snapshotRecords() async throws -> [SnapshotRecord] {
    try await logicalVolumes(.snapshot).compactMap { try? SnapshotRecord($1, at: $0, owner: configuration.name) }
  }

  /// Those whose names are ours and of this kind.
  func logicalVolumes(_ kind: Kind) async throws -> [(path: LVPath, volume: LogicalVolume)] {
    var found: [(path: LVPath, volume: LogicalVolume)] = []
    for group in groupNames {
      for volume in try await lvm.group(group).volumes.values where Naming.kind(of: volume.name) == kind {
        found.append((LVPath(group, volume.name), volume))
      }
    }
    return found
  }

  /// Changes the tags from those of `old` to those of `new`, in one command; tags of others stay.
  func update(_ old: VolumeRecord, to new: VolumeRecord) async throws {
    let before = old.tags(owner: configuration.name)
    let after = new.tags(owner: configuration.name)
    guard before != after else { return }
    try await lvm.changeTags(
      of: old.path, adding: after.subtracting(before), removing: before.subtracting(after))
  }

  /// - Throws: `.exhausted` when the id names another node, and what it names is not here.
  func checkIsHere(source id: NativeID) throws {
    guard let local = LocalID(parsing: id), local.node != configuration.nodeID else { return }
    throw StorageError.exhausted("\(local.kind.word) \(id.shortened) lives on node \(local.node)")
  }

  /// For deletions of what was not found.
  /// - Throws: `.precondition` when it may be on another node; `.unavailable` when LVM does not answer and what is known
  ///   is of before.
  func checkIsGone(_ id: NativeID) throws {
    try checkWasHere(deleting: id)
    for name in groupNames { try lvm.checkIsCurrent(name) }
  }

  /// For deletions: what lives on another node is not deleted by this one.
  /// - Throws: `.precondition` when the id names another node, and what it names is not here.
  private func checkWasHere(deleting id: NativeID) throws {
    guard let local = LocalID(parsing: id), local.node != configuration.nodeID else { return }
    throw StorageError.precondition(
      "\(local.kind.word) \(id.shortened) lives on node \(local.node) and can be deleted there only")
  }
}
