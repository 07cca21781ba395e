import Storage

/// Records by id, with the ids in ascending order of their bytes.
struct Index<Record: Sendable>: Sendable {
  private var records: [NativeID: Record] = [:]
  private var order: [NativeID] = []

  init() {}

  var count: Int { order.count }
  var values: some Collection<Record> { records.values }

  subscript(id: NativeID) -> Record? { records[id] }

  mutating func insert(_ record: Record, for id: NativeID) {
    if records.updateValue(record, forKey: id) == nil { order.insert(id, at: position(after: id)) }
  }

  @discardableResult
  mutating func remove(_ id: NativeID) -> Record? {
    guard let record = records.removeValue(forKey: id) else { return nil }
    order.remove(at: position(after: id) - 1)
    return record
  }

  /// At most `limit` records with ids above `after` that satisfy `condition`, ascending.
  func page(after: NativeID?, limit: Int, where condition: (Record) -> Bool = { _ in true }) -> [Record] {
    var page: [Record] = []
    page.reserveCapacity(min(limit, order.count))
    for id in order[(after.map(position(after:)) ?? 0)...] {
      guard page.count < limit else { break }
      if let record = records[id], condition(record) { page.append(record) }
    }
    return page
  }

  /// Where the first id above `id` is.
  private func position(after id: NativeID) -> Int {
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if id < order[middle] { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// What was promised to volumes and how much of it they already take up.
struct Ledger: Hashable, Sendable {
  /// The sum of all volumes' sizes, those that are being made included.
  var provisioned = ByteCount.zero
  /// What the volumes' files took up when it was last looked at.
  var allocated = ByteCount.zero

  /// Space for new volumes: the file system's free space times `ratio`, less what existing volumes may still claim.
  func available(free: ByteCount, ratio: Double) -> ByteCount {
    let offered = (Double(free.bytes) * ratio).rounded(.down)
    let whole = offered >= Double(Int64.max) ? Int64.max : Int64(offered)
    return max(.zero, ByteCount(whole) - max(.zero, provisioned - allocated))
  }
}

/// The directory's state in memory: read once at the start and kept in step. That is sound because the directory's lock
/// makes this the only process that changes it; the directory stays the record.
struct Catalogue: Sendable {
  var volumes = Index<VolumeRecord>()
  var snapshots = Index<SnapshotRecord>()
  /// Ids of snapshots by the volume that they were cut from, ascending.
  private var snapshotsBySource: [NativeID: Index<SnapshotRecord>] = [:]
  var groups: [NativeID: GroupRecord] = [:]
  /// What is there but cannot be read; its id stays taken.
  private var damaged: [Kind: [NativeID: StorageError]] = [:]
  var ledger = Ledger()
  var ledgerSampled: ContinuousClock.Instant?

  mutating func insert(_ snapshot: SnapshotRecord) {
    snapshots.insert(snapshot, for: snapshot.id)
    snapshotsBySource[snapshot.source, default: Index()].insert(snapshot, for: snapshot.id)
  }

  mutating func remove(snapshot id: NativeID) {
    guard let record = snapshots.remove(id) else { return }
    snapshotsBySource[record.source]?.remove(id)
    if snapshotsBySource[record.source]?.count == 0 { snapshotsBySource[record.source] = nil }
  }

  func snapshots(source: NativeID?, after: NativeID?, limit: Int) -> [SnapshotRecord] {
    guard let source else { return snapshots.page(after: after, limit: limit) }
    return snapshotsBySource[source]?.page(after: after, limit: limit) ?? []
  }

  func members(of group: GroupRecord) -> [SnapshotRecord] { group.members.compactMap { snapshots[$0] } }

  /// - Throws: what is known of a damaged entry of this id.
  func checkUndamaged(_ kind: Kind, _ id: NativeID) throws {
    if let error = damaged[kind]?[id] { throw error }
  }

  mutating func markDamaged(_ kind: Kind, _ id: NativeID, _ error: StorageError) {
    damaged[kind, default: [:]][id] = error
  }

  enum Kind: String { case volume, snapshot, group }
}
