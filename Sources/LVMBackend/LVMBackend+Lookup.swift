import Storage

extension LVMBackend: StorageBackend {
  package var name: BackendName { configuration.name }
  package var defaultFilesystem: FilesystemType { configuration.defaultFilesystem }
  package var topologies: [Topology] { configuration.topologies }

  /// Single-node modes only: the volume groups are on this node.
  package func accessModes(for type: AccessType) -> Set<AccessMode> { AccessMode.singleNode }

  package func volumeID(forName name: String) -> NativeID? {
    LocalID(.volume, name: Naming.derived(.volume, from: name), node: configuration.nodeID).id
  }

  package func volume(_ id: NativeID) async throws -> Volume? { try await record(id).map(volume) }

  /// - Throws: `.incompatible` when the logical volume of this name belongs to another name.
  package func volume(named name: String) async throws -> Volume? {
    guard let record = try await anyRecord(Naming.derived(.volume, from: name)) else { return nil }
    try check(record, isNamed: name)
    return record.isComplete ? volume(record) : nil
  }

  func check(_ record: VolumeRecord, isNamed name: String) throws {
    guard Array(record.name.utf8) == Array(name.utf8) else {
      throw StorageError.incompatible("\(record.path) of this name belongs to a volume of another name")
    }
  }

  func volume(_ record: VolumeRecord) -> Volume {
    Volume(
      id: record.id, name: record.name, capacity: record.capacity, source: record.source,
      parameters: record.parameters, content: record.content, topology: topologies,
      publishedNodes: record.attachment.map { [$0.node] } ?? [], isEphemeral: record.isEphemeral)
  }
}

extension LVMBackend: ListableBackend {
  package func volumes(after: NativeID?, limit: Int) async throws -> [Volume] {
    try checkPrepared()
    return try await page(.volume, after: after, limit: limit) { path, volume in
      guard let record = try VolumeRecord(volume, at: path, owner: configuration.name), record.isComplete else {
        return nil
      }
      return (record.id, self.volume(record))
    }
  }

  /// The first `limit` things of a kind with ids above `after`, ascending. Damaged ones are left out: they cannot be
  /// told of but by errors.
  /// - Parameter read: nil for what is not to be listed; called for little more than what is returned.
  func page<T>(
    _ kind: Kind, after: NativeID?, limit: Int,
    _ read: (LVPath, LogicalVolume) throws -> (id: NativeID, value: T)?
  ) async throws -> [T] {
    // Ids begin with the names, which are all of one length: both orders are the same.
    let bound = after.map { String($0.rawValue.prefix { $0 != "@" }) } ?? ""
    let sorted = try await logicalVolumes(kind).filter { NativeID($0.path.name) >= NativeID(bound) }
      .sorted { NativeID($0.path.name) < NativeID($1.path.name) }
    var page: [T] = []
    for (path, volume) in sorted {
      guard page.count < limit else { break }
      guard let found = try? read(path, volume) else { continue }
      if let after, found.id <= after { continue }
      page.append(found.value)
    }
    return page
  }
}
