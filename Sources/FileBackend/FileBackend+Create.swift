import Host
import Glibc
import Storage

extension FileBackend {
  package func createVolume(_ spec: VolumeSpec) async throws -> Volume {
    if let existing = try record(named: spec.name) { return volume(existing) }
    let plan = try plan(spec)
    try reserve(plan.record.capacity)
    let work = layout.unique(in: layout.work, for: plan.record.id)
    do {
      CrashPoint.createBegun.reached()
      try await build(plan, in: work)
      CrashPoint.createBeforeRename.reached()
      try appear(work, as: layout.directory(ofVolume: plan.record.id), in: layout.volumes)
      CrashPoint.createAfterRename.reached()
    } catch {
      try? disk.removeTree(work)
      release(plan.record.capacity)
      throw error
    }
    // What was found wrong with a deleted volume of this name is not wrong with this one.
    recentConditions.withLock { $0?.abnormal[plan.record.id] = nil }
    try catalogue { $0.volumes.insert(plan.record, for: plan.record.id) }
    try noteAllocation(of: plan.record)
    return volume(plan.record)
  }

  /// Everything about a new volume that is decided before the disk is touched.
  struct Plan: Sendable {
    let record: VolumeRecord
    let source: Origin?
  }

  /// Whose bytes a new volume begins with.
  enum Origin: Sendable {
    case snapshot(SnapshotRecord)
    case volume(VolumeRecord)

    var size: ByteCount {
      switch self {
      case .snapshot(let record): record.size
      case .volume(let record): record.capacity
      }
    }
    var content: VolumeContent {
      switch self {
      case .snapshot(let record): record.content
      case .volume(let record): record.content
      }
    }
    var encryption: VolumeEncryption? {
      switch self {
      case .snapshot(let record): record.encryption
      case .volume(let record): VolumeEncryption(canonical: record.parameters)
      }
    }
    var format: FormatState {
      switch self {
      case .snapshot(let record): record.format
      case .volume(let record): record.format
      }
    }
  }

  private func plan(_ spec: VolumeSpec) throws -> Plan {
    try checkAccessModes(of: spec.capabilities)
    if !topologies.isEmpty { _ = try spec.topology?.choose(from: topologies) }
    let origin = try spec.source.map(origin)
    let content = try spec.content(copying: origin?.content, fallback: defaultFilesystem)
    if case .filesystem(let type) = content, let options = spec.parameters["mkfsOptions"] {
      try MkfsOptions.check(MkfsOptions.split(options), for: type)
    }
    let size = try spec.capacity.size(
      fallback: origin?.size ?? configuration.defaultSize, unit: Self.sizeUnit,
      minimum: minimumSize(for: content, spec.parameters, atLeast: configuration.minimumSize),
      maximum: configuration.maximumSize)
    if let origin, size < origin.size {
      throw StorageError.outOfRange("\(size) is below the source's size of \(origin.size)")
    }
    if let origin, origin.encryption != VolumeEncryption(canonical: spec.parameters) {
      throw StorageError.invalid(
        origin.encryption.map { "the source is encrypted (\($0.rawValue)), and so must its copy be" }
          ?? "the source is not encrypted, and its copy cannot be")
    }
    let record = VolumeRecord(
      id: Identifier.derived(from: spec.name), name: spec.name, capacity: size, content: content,
      format: origin.map { Self.format(copying: $0, as: content) } ?? .unformatted, parameters: spec.parameters,
      source: spec.source, isEphemeral: spec.isEphemeral, attachment: nil,
      mutable: IOLimits.merging(spec.mutableParameters, into: [:]))
    return Plan(record: record, source: origin)
  }

  /// - Throws: `.notFound`.
  private func origin(_ source: ContentSource) throws -> Origin {
    switch source {
    case .volume(let id): return .volume(try existing(id))
    case .snapshot(let id):
      guard let record = try snapshotRecord(id) else {
        throw StorageError.notFound("there is no snapshot \(id.shortened)")
      }
      return .snapshot(record)
    }
  }

  private static func format(copying origin: Origin, as content: VolumeContent) -> FormatState {
    // The header is the source's, or a half of one.
    if origin.encryption != nil, content == .block || origin.format == .encrypting { return origin.format }
    guard case .filesystem(let type) = content else { return .unformatted }
    // Bytes of a raw device: whoever wrote them must have made a file system, for we never do.
    if origin.content == .block { return .copied(type) }
    // Two mounted btrfs must not have one UUID; ext4 does not mind and xfs is mounted with nouuid.
    return origin.format == .formatted && type == .btrfs ? .copied(.btrfs) : origin.format
  }

  /// Makes the volume's directory as `work`, everything in it written and synced but the directory itself.
  private func build(_ plan: Plan, in work: String) async throws {
    let record = plan.record
    if let source = plan.source {
      CrashPoint.cloneBegun.reached()
      try await copy(source, to: work)
      CrashPoint.cloneCopied.reached()
    } else {
      try disk.makeDirectory(work)
    }
    let data = try disk.open(work + "/data", O_RDWR | O_CREAT)
    switch Provisioning(canonical: record.parameters) {
    case .sparse: try disk.resize(data, to: record.capacity)
    case .thick: try disk.allocate(data, upTo: record.capacity)
    }
    CrashPoint.createBuilt.reached()
    // Both are written before the first sync: one journal commit then often serves all.
    let metadata = try disk.create(work + "/volume.json", holding: record.encoded)
    try disk.sync(metadata)
    if plan.source == nil { try disk.sync(data) } else { try await syncCopy(work + "/data") }
  }

  /// Writing a whole copy out may take long.
  func syncCopy(_ path: String) async throws {
    try await OwnThread.run("sync") { [disk] in try disk.sync(try disk.open(path, O_RDONLY)) }
  }

  private func copy(_ source: Origin, to work: String) async throws {
    switch source {
    case .snapshot(let snapshot):
      let copy = DataCopy(from: layout.data(of: snapshot), size: snapshot.size, to: work + "/data")
      try disk.makeDirectory(work)
      try await OwnThread.run("copy") { [self] in try copy.run(disk, sharing: sharesBlocks) }
    case .volume(let volume):
      _ = try await cut([Cut(volume: volume, directory: work)], under: work) {}
    }
  }

  /// Lets `work` appear at its place, durably, or not at all.
  func appear(_ work: String, as place: String, in parent: String) throws {
    try disk.syncDirectory(work)
    try disk.rename(work, to: place)
    do {
      try disk.syncDirectory(parent)
    } catch {
      // Not known to be durable: whoever repeats the call must not find it.
      try? disk.rename(place, to: work)
      throw error
    }
  }
}
