import Glibc
import Host
import Storage

extension FileBackend {
  /// Takes the directory's lock, reads all metadata, then removes what a crash left half-made or half-deleted.
  ///
  /// - Throws: `.failed` when another process serves the directory, or when a metadata file is of a layout that this
  ///   code does not know; nothing is changed then.
  package func prepare() async throws {
    if isPrepared { return }
    try makeRoot()
    let lock = try DirectoryLock(layout.lock, disk: disk)
    for directory in layout.directories { try disk.makeDirectoryIfMissing(directory) }
    var catalogue = Catalogue()
    try readVolumes(into: &catalogue)
    try readSnapshots(in: layout.snapshots, group: nil, into: &catalogue)
    try readGroups(into: &catalogue)
    for directory in [layout.work, layout.trash] {
      for name in try disk.names(in: directory) { try disk.removeTree("\(directory)/\(name)") }
    }
    for record in catalogue.volumes.values { try healSize(of: record, in: &catalogue) }
    catalogue.ledgerSampled = .now
    begin(catalogue, sharesBlocks: try probeSharing(), lock: lock)
  }

  /// Looks at the directory at most once a second, on a thread of its own: the caller may be the one that serves the
  /// socket, and a disk may hang.
  package func checkReadiness() async throws {
    guard isPrepared else { throw StorageError.unavailable("the file backend is not prepared yet") }
    let now = ContinuousClock.now
    if let seen = lastSeenWell.withLock({ $0 }), now - seen < .seconds(1) { return }
    let usage = try await withTimeLimit(.seconds(2), "stat \(layout.volumes)") { [disk, path = layout.volumes] in
      try disk.usage(of: path)
    }
    guard usage != nil else { throw StorageError.failed("\(layout.volumes) is gone; is the file system mounted?") }
    lastSeenWell.withLock { $0 = now }
  }

  private func makeRoot() throws {
    var path = ""
    for part in layout.root.split(separator: "/") {
      path += "/\(part)"
      try disk.makeDirectoryIfMissing(path)
    }
  }

  private func readVolumes(into catalogue: inout Catalogue) throws {
    for name in try disk.names(in: layout.volumes) {
      let id = NativeID(name)
      try reading(.volume, id, into: &catalogue) { catalogue in
        let path = "\(layout.directory(ofVolume: id))/volume.json"
        guard let bytes = try disk.read(path) else { throw Damaged(field: "volume.json") }
        let record = try VolumeRecord(id: id, parsing: bytes)
        catalogue.volumes.insert(record, for: id)
        catalogue.ledger.provisioned = catalogue.ledger.provisioned + record.capacity
      }
    }
  }

  private func readSnapshots(in directory: String, group: NativeID?, into catalogue: inout Catalogue) throws {
    for name in try disk.names(in: directory) where !name.hasSuffix(".json") && !name.hasSuffix(".new") {
      let id = NativeID(name)
      try reading(.snapshot, id, into: &catalogue) { catalogue in
        guard let bytes = try disk.read("\(directory)/\(name)/snapshot.json") else {
          throw Damaged(field: "snapshot.json")
        }
        catalogue.insert(try SnapshotRecord(id: id, group: group, parsing: bytes))
      }
    }
  }

  private func readGroups(into catalogue: inout Catalogue) throws {
    for name in try disk.names(in: layout.groups) {
      let id = NativeID(name)
      try reading(.group, id, into: &catalogue) { catalogue in
        let directory = layout.directory(ofGroup: id)
        guard let bytes = try disk.read(directory + "/group.json") else { throw Damaged(field: "group.json") }
        catalogue.groups[id] = try GroupRecord(id: id, parsing: bytes)
        try readSnapshots(in: directory, group: id, into: &catalogue)
      }
    }
  }

  /// Damage to one thing is that thing's alone; a layout from the future stops everything.
  private func reading(
    _ kind: Catalogue.Kind, _ id: NativeID, into catalogue: inout Catalogue, _ body: (inout Catalogue) throws -> Void
  ) throws {
    do {
      try body(&catalogue)
    } catch let error as UnknownVersion {
      throw StorageError.failed(
        "\(kind) \(id) has metadata of version \(error.version), which this program does not know; nothing was changed")
    } catch let error as Damaged {
      catalogue.markDamaged(kind, id, .dataLoss("the metadata of \(kind) \(id) is damaged (\(error.field))"))
    }
  }

  /// A file that is longer than its record is what an interrupted expansion leaves. Nobody was told of the new size and
  /// no device showed it, so an empty tail is cut off again. A tail that holds data is kept: the record follows.
  private func healSize(of record: VolumeRecord, in catalogue: inout Catalogue) throws {
    let path = layout.data(ofVolume: record.id)
    guard let usage = try disk.usage(of: path) else { return }
    catalogue.ledger.allocated = catalogue.ledger.allocated + min(usage.allocated, record.capacity)
    guard usage.size > record.capacity else { return }
    let file = try disk.open(path, O_RDWR)
    if try Extents.nextData(of: file.raw, from: record.capacity.bytes) == nil {
      try disk.resize(file, to: record.capacity)
      try disk.sync(file)
    } else {
      var grown = record
      grown.capacity = ByteCount(usage.size.bytes / Self.sizeUnit * Self.sizeUnit)
      try disk.replace("volume.json", in: layout.directory(ofVolume: record.id), with: grown.encoded)
      catalogue.volumes.insert(grown, for: record.id)
      catalogue.ledger.provisioned = catalogue.ledger.provisioned + (grown.capacity - record.capacity)
    }
  }

  /// Whether FICLONE works here, by trying it on a page.
  private func probeSharing() throws -> Bool {
    let directory = layout.unique(in: layout.work, for: NativeID("probe"))
    try disk.makeDirectory(directory)
    defer { try? disk.removeTree(directory) }
    let from = try disk.create(directory + "/from", holding: [UInt8](repeating: 1, count: 4096))
    let to = try disk.create(directory + "/to", holding: [])
    return try Reflink.clone(from: from.raw, to: to.raw)
  }
}
