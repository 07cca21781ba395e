import Storage

extension FileBackend: GroupSnapshottingBackend {
  package func groupSnapshotID(forName name: String) -> NativeID? { Identifier.derived(from: name) }

  package func groupSnapshot(_ id: NativeID) async throws -> GroupSnapshot? {
    try catalogue { catalogue in
      try catalogue.checkUndamaged(.group, id)
      return catalogue.groups[id].map { Self.groupSnapshot($0, catalogue.members(of: $0)) }
    }
  }

  package func groupSnapshot(named name: String) async throws -> GroupSnapshot? {
    guard let group = try await groupSnapshot(Identifier.derived(from: name)) else { return nil }
    guard group.name == name else {
      throw StorageError.incompatible("the id \(group.id) of this name belongs to a group of another name")
    }
    return group
  }

  private static func groupSnapshot(_ record: GroupRecord, _ members: [SnapshotRecord]) -> GroupSnapshot {
    GroupSnapshot(id: record.id, name: record.name, members: members.map(\.snapshot), created: record.created)
  }

  /// The members lie in the group's directory, so that one rename lets all of them appear.
  package func createGroupSnapshot(_ spec: GroupSnapshotSpec) async throws -> GroupSnapshot {
    if let existing = try await groupSnapshot(named: spec.name) {
      guard Set(existing.members.map(\.source)) == Set(spec.sources) else {
        throw StorageError.incompatible("group snapshot \(existing.id) is of other volumes")
      }
      return existing
    }
    let volumes = try spec.sources.map(existing)
    try checkSpace(forCopiesOf: volumes)
    let id = Identifier.derived(from: spec.name)
    let work = layout.unique(in: layout.work, for: id)
    do {
      CrashPoint.groupBegun.reached()
      let (group, members) = try await build(spec, id: id, of: volumes, in: work)
      CrashPoint.groupBeforeRename.reached()
      try appear(work, as: layout.directory(ofGroup: id), in: layout.groups)
      CrashPoint.groupAfterRename.reached()
      try catalogue { catalogue in
        members.forEach { catalogue.insert($0) }
        catalogue.groups[id] = group
      }
      return Self.groupSnapshot(group, members)
    } catch {
      try? disk.removeTree(work)
      throw error
    }
  }

  private func build(
    _ spec: GroupSnapshotSpec, id: NativeID, of volumes: [VolumeRecord], in work: String
  ) async throws -> (GroupRecord, [SnapshotRecord]) {
    let ids = volumes.map { Identifier.member(ofGroup: spec.name, source: $0.id) }
    let cuts = zip(volumes, ids).map { Cut(volume: $0, directory: "\(work)/\($1.rawValue)") }
    let created = try await cut(cuts, under: work) { CrashPoint.groupFrozen.reached() }
    var members: [SnapshotRecord] = []
    for (volume, member) in zip(volumes, ids) {
      let record = SnapshotRecord(of: volume, id: member, name: "", created: created, group: id)
      try await seal(record, in: "\(work)/\(member.rawValue)")
      try disk.syncDirectory("\(work)/\(member.rawValue)")
      CrashPoint.groupMemberCut.reached()
      members.append(record)
    }
    let group = GroupRecord(id: id, name: spec.name, created: created, members: ids)
    try disk.sync(try disk.create(work + "/group.json", holding: group.encoded))
    return (group, members)
  }

  package func deleteGroupSnapshot(_ id: NativeID, secrets: Secrets) async throws {
    guard let group = try await groupSnapshot(id) else { return }
    try vanish(layout.directory(ofGroup: id), of: id, in: layout.groups) {
      try catalogue { catalogue in
        catalogue.groups[id] = nil
        group.members.forEach { catalogue.remove(snapshot: $0.id) }
      }
    }
  }
}
