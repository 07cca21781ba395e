import Host
import Storage

extension LVMBackend: GroupSnapshottingBackend {
  /// No logical volume is the group: it is the set of its members, whose tags name it.
  enum Group {
    /// Whether these are all members there are to be, cut at one moment.
    static func isComplete(_ members: [SnapshotRecord]) -> Bool {
      guard let expected = members.first?.group?.members else { return false }
      return members.count == expected && members.contains { $0.group?.isCut == true }
    }

    /// - Parameter members: of one group, complete.
    static func group(_ members: [SnapshotRecord]) -> GroupSnapshot? {
      guard let first = members.first, let group = first.group else { return nil }
      return GroupSnapshot(
        id: group.id, name: group.name, members: members.map(\.snapshot).sorted { $0.id < $1.id },
        created: first.created)
    }
  }

  package func groupSnapshotID(forName name: String) -> NativeID? {
    LocalID(.group, name: Naming.derived(.group, from: name), node: configuration.nodeID).id
  }

  package func groupSnapshot(_ id: NativeID) async throws -> GroupSnapshot? {
    try checkPrepared()
    return Self.complete(try await members(ofGroup: id))
  }

  private static func complete(_ members: [SnapshotRecord]) -> GroupSnapshot? {
    Group.isComplete(members) ? Group.group(members) : nil
  }

  package func groupSnapshot(named name: String) async throws -> GroupSnapshot? {
    try checkPrepared()
    guard let group = Self.complete(try await members(ofGroupNamed: name)) else { return nil }
    guard group.name == name else {
      throw StorageError.incompatible("the id \(group.id) of this name belongs to a group of another name")
    }
    return group
  }

  /// All members that are there, in no order.
  func members(ofGroup id: NativeID) async throws -> [SnapshotRecord] {
    try await snapshotRecords().filter { $0.group?.id == id }
  }

  /// The same by the CO's name for the group, whatever node it was made on.
  private func members(ofGroupNamed name: String) async throws -> [SnapshotRecord] {
    let derived = Naming.derived(.group, from: name)
    return try await snapshotRecords().filter {
      $0.group.flatMap { LocalID(parsing: $0.id) }?.name == derived
    }
  }

  /// Those of which all members are there.
  func completeGroups() async throws -> Set<NativeID> {
    // Most snapshots have no group, and their tags need not be parsed to know.
    let volumes = try await logicalVolumes(.snapshot).filter { $0.volume.tags.contains { $0.hasPrefix("csi.g=") } }
    let records = volumes.compactMap { try? SnapshotRecord($0.volume, at: $0.path, owner: configuration.name) }
    return Set(
      Dictionary(grouping: records) { $0.group?.id }.compactMap { Group.isComplete($0.value) ? $0.key : nil })
  }

  /// Makes a snapshot of each volume by LVM, one after another, which gives each its thin id; then cuts all of them anew
  /// at one moment (`DeviceMapper.cut`), with file systems frozen; then says so in the tags of one member. Until that
  /// there is no group.
  package func createGroupSnapshot(_ spec: GroupSnapshotSpec) async throws -> GroupSnapshot {
    if let existing = try await groupSnapshot(named: spec.name) {
      guard Set(existing.members.map(\.source)) == Set(spec.sources) else {
        throw StorageError.incompatible("group snapshot \(existing.id) is of other volumes")
      }
      return existing
    }
    let origins = try await thinOrigins(spec.sources)
    for pool in Set(origins.map(\.pool)) { try checkPool(pool) }
    let id = LocalID(.group, name: Naming.derived(.group, from: spec.name), node: configuration.nodeID).id
    let left = try await members(ofGroupNamed: spec.name)
    guard !left.contains(where: { $0.group?.isCut == true }) else {
      throw StorageError.dataLoss("group snapshot \(id) lacks a member: delete what is left of it")
    }
    try await removeMembers(left)
    let members = planMembers(spec, id: id, of: origins)
    do {
      CrashPoint.groupBegun.reached()
      var volumes: [LogicalVolume] = []
      for (member, origin) in zip(members, origins) {
        try await reserving(origin) {
          volumes.append(try await lvm.create(order(member, of: origin)))
          CrashPoint.lvmGroupMemberMade.reached()
        }
      }
      try await cut(try Self.cuts(members, volumes, of: origins), of: id)
      CrashPoint.groupBeforeRename.reached()
      if let first = members.first {
        try await lvm.changeTags(of: first.path, adding: [SnapshotRecord.cutTag], removing: [])
      }
      CrashPoint.groupAfterRename.reached()
    } catch {
      try? await removeMembers(members)
      throw error
    }
    guard let group = Group.group(members) else { throw StorageError.invalid("a group needs a volume") }
    return group
  }

  private func thinOrigins(_ ids: [NativeID]) async throws -> [ThinOrigin] {
    var origins: [ThinOrigin] = []
    for id in ids { origins.append(try await thinOrigin(id)) }
    return origins
  }

  private func planMembers(_ spec: GroupSnapshotSpec, id: NativeID, of origins: [ThinOrigin]) -> [SnapshotRecord] {
    let created = Timestamp.now
    let group = SnapshotRecord.Group(id: id, name: spec.name, members: origins.count)
    return origins.map { origin in
      let name = Naming.member(ofGroup: spec.name, source: origin.id)
      return SnapshotRecord(
        of: origin, id: LocalID(.snapshot, name: name, node: configuration.nodeID).id, name: "",
        at: LVPath(origin.path.group, name), created: created, group: group)
    }
  }

  private static func cuts(
    _ members: [SnapshotRecord], _ volumes: [LogicalVolume], of origins: [ThinOrigin]
  ) throws -> [DeviceMapper.ThinCut] {
    try zip(zip(members, volumes), origins).map { target, origin in
      guard let targetID = target.1.thinID, let originID = origin.volume.thinID else {
        throw StorageError.failed("LVM told no thin id of \(target.0.path) or \(origin.path)")
      }
      return DeviceMapper.ThinCut(
        origin: .init(origin.path, uuid: origin.volume.uuid, id: originID),
        target: .init(target.0.path, uuid: target.1.uuid, id: targetID), pool: origin.pool)
    }
  }

  /// Raw devices need no watch: while all are suspended, none of them ends a write.
  private func cut(_ cuts: [DeviceMapper.ThinCut], of group: NativeID) async throws {
    // LVM is to say once more which volume has which thin id, and that before anything is frozen.
    for name in Set(cuts.map(\.pool.group)) {
      lvm.invalidate(name)
      _ = try await lvm.group(name)
    }
    _ = try await PointInTime.cut(executable: configuration.executable, watching: false) {
      try cuts.map(\.origin.path).filter { try DeviceMapper.info($0) != nil }.map(DeviceMapper.devicePath)
    } body: {
      CrashPoint.groupFrozen.reached()
      try await lvm.cut(cuts, tag: SnapshotRecord.tag(ofGroup: group))
      CrashPoint.groupMemberCut.reached()
    }
  }

  package func deleteGroupSnapshot(_ id: NativeID, secrets: Secrets) async throws {
    try checkPrepared()
    let members = try await members(ofGroup: id)
    if members.isEmpty { try checkIsGone(id) }
    try await checkNoneIsDamaged(ofGroup: id)
    try await removeMembers(members)
  }

  /// - Throws: `.dataLoss` when a member's tags are damaged: it would stay behind, and the group be told of as deleted.
  private func checkNoneIsDamaged(ofGroup id: NativeID) async throws {
    guard let group = LocalID(parsing: id, as: .group) else { return }
    for (path, volume) in try await logicalVolumes(.snapshot)
    where volume.tags.contains(where: { $0.hasPrefix("csi.g=\(group.name)") }) {
      _ = try SnapshotRecord(volume, at: path, owner: configuration.name)
    }
  }

  /// The one that says that the group is complete goes first: half a group does not exist.
  private func removeMembers(_ members: [SnapshotRecord]) async throws {
    for member in members.sorted(by: { $0.group?.isCut == true && $1.group?.isCut != true }) {
      try await lvm.remove(member.path)
      CrashPoint.deleteHalfUnlinked.reached()
    }
  }

  /// Removes what a crash left of groups that were half made or half deleted: no member says that it is complete. Where
  /// tags are damaged that is not known, and nothing is removed.
  func removeIncompleteGroups() async throws {
    var members: [NativeID: [SnapshotRecord]] = [:]
    for (path, volume) in try await logicalVolumes(.snapshot) {
      do {
        guard let record = try SnapshotRecord(volume, at: path, owner: configuration.name), let group = record.group
        else { continue }
        members[group.id, default: []].append(record)
      } catch {
        logger.warning("incomplete group snapshots are kept", metadata: ["reason": "\(error)"])
        return
      }
    }
    for group in members.values where !group.contains(where: { $0.group?.isCut == true }) {
      try await removeMembers(group)
    }
  }
}
