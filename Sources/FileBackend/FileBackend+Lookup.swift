import Storage

extension FileBackend: StorageBackend {
  package var name: BackendName { configuration.name }
  package var defaultFilesystem: FilesystemType { configuration.defaultFilesystem }
  package var topologies: [Topology] { configuration.topologies }

  /// Single-node modes only: the files are on this node.
  package func accessModes(for type: AccessType) -> Set<AccessMode> { AccessMode.singleNode }

  package func volumeID(forName name: String) -> NativeID? { Identifier.derived(from: name) }

  package func volume(_ id: NativeID) async throws -> Volume? { try record(id).map(volume) }

  package func volume(named name: String) async throws -> Volume? {
    try record(named: name).map(volume)
  }

  func record(_ id: NativeID) throws -> VolumeRecord? {
    try catalogue { catalogue in
      try catalogue.checkUndamaged(.volume, id)
      return catalogue.volumes[id]
    }
  }

  /// - Throws: `.incompatible` when the id of this name belongs to another name.
  func record(named name: String) throws -> VolumeRecord? {
    guard let record = try record(Identifier.derived(from: name)) else { return nil }
    guard record.name == name else {
      throw StorageError.incompatible("the id \(record.id) of this name belongs to a volume of another name")
    }
    return record
  }

  /// - Throws: `.notFound`.
  func existing(_ id: NativeID) throws -> VolumeRecord {
    guard let record = try record(id) else { throw StorageError.notFound("there is no volume \(id.shortened)") }
    return record
  }

  func volume(_ record: VolumeRecord) -> Volume {
    Volume(
      id: record.id, name: record.name, capacity: record.capacity, source: record.source,
      parameters: record.parameters, content: record.content, topology: topologies,
      publishedNodes: record.attachment.map { [$0.node] } ?? [], isEphemeral: record.isEphemeral)
  }

  /// Makes a changed record durable, then visible.
  func update(_ record: VolumeRecord) throws {
    try disk.replace("volume.json", in: layout.directory(ofVolume: record.id), with: record.encoded)
    try catalogue { $0.volumes.insert(record, for: record.id) }
  }
}

extension FileBackend: ListableBackend {
  package func volumes(after: NativeID?, limit: Int) async throws -> [Volume] {
    try catalogue { $0.volumes.page(after: after, limit: limit) }.map(volume)
  }
}
