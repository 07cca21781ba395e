import Host
import Storage

extension LVMBackend {
  package func createVolume(_ spec: VolumeSpec) async throws -> Volume {
    try checkPrepared()
    let present = try await anyRecord(Naming.derived(.volume, from: spec.name))
    if let present {
      try check(present, isNamed: spec.name)
      if present.isComplete { return volume(present) }
      if present.state == .deleted { try await finishDeletion(of: present) }
    }
    let plan = try await plan(spec)
    let reservation = try await reserve(plan.record.size, in: plan.deviceClass)
    defer { release(reservation) }
    CrashPoint.createBegun.reached()
    var record: VolumeRecord
    if let present, present.state == .ready {
      record = try await finishCopy(present, plan)
    } else {
      if let present, present.state == .new { try await lvm.remove(present.path) }
      record = try await build(plan)
    }
    CrashPoint.createBuilt.reached()
    if record.state == .new { record = try await cleaned(record, plan.deviceClass) }
    return volume(record)
  }

  /// Everything about a new volume that is decided before LVM is asked for it.
  struct Plan: Sendable {
    /// Its size is the one to reach.
    let record: VolumeRecord
    let deviceClass: DeviceClass
    let origin: Origin?
  }

  private func plan(_ spec: VolumeSpec) async throws -> Plan {
    try checkAccessModes(of: spec.capabilities)
    if !topologies.isEmpty { _ = try spec.topology?.choose(from: topologies) }
    let deviceClass = try deviceClass(for: spec.parameters)
    let origin: Origin? = if let source = spec.source { try await self.origin(source) } else { nil }
    if let origin { try await check(origin, fits: deviceClass) }
    let content = try spec.content(copying: origin?.content, fallback: defaultFilesystem)
    if case .filesystem(let type) = content, let options = spec.parameters["mkfsOptions"] {
      try MkfsOptions.check(MkfsOptions.split(options), for: type)
    }
    let encryption = try encryption(of: spec, origin)
    let unit = deviceClass.sizeUnit(in: try await lvm.group(deviceClass.volumeGroup))
    let size = try spec.capacity.size(
      fallback: origin?.size ?? configuration.defaultSize, unit: unit,
      minimum: minimumSize(for: content, spec.parameters, atLeast: configuration.minimumSize),
      maximum: configuration.maximumSize)
    if let origin, size < origin.size {
      throw StorageError.outOfRange("\(size) is below the source's size of \(origin.size)")
    }
    let name = Naming.derived(.volume, from: spec.name)
    let record = VolumeRecord(
      path: LVPath(deviceClass.volumeGroup, name),
      id: LocalID(.volume, name: name, node: configuration.nodeID).id, name: spec.name, size: size, wantedSize: size,
      deviceClass: deviceClass.name, content: content,
      format: origin.map { Self.format(copying: $0, as: content) } ?? .unformatted, encryption: encryption,
      parameters: spec.parameters, mutableParameters: IOLimits.merging(spec.mutableParameters, into: [:]),
      source: spec.source,
      isEphemeral: spec.isEphemeral, state: deviceClass.needsCleaning(for: content, encryption) ? .new : .ready)
    return Plan(record: record, deviceClass: deviceClass, origin: origin)
  }

  /// - Throws: `.notFound`; `.exhausted` when it is on another node.
  private func origin(_ source: ContentSource) async throws -> Origin {
    switch source {
    case .volume(let id):
      guard let record = try await record(id) else {
        try checkIsHere(source: id)
        throw StorageError.notFound("there is no volume \(id.shortened)")
      }
      return Origin(record)
    case .snapshot(let id):
      return Origin(try await existingSnapshot(id))
    }
  }

  /// A copy shares its source's blocks, so it is in the same pool.
  private func check(_ origin: Origin, fits deviceClass: DeviceClass) async throws {
    guard let volume = try await lvm.volume(origin.path) else {
      throw StorageError.notFound("\(origin.path) is gone")
    }
    guard volume.layout == .thin, let pool = volume.poolName else {
      throw StorageError.precondition("the source is not in a thin pool: only thin volumes can be copied")
    }
    guard deviceClass.volumeGroup == origin.path.group, deviceClass.layout == .thin(pool: pool) else {
      throw StorageError.invalid(
        "the source is in thin pool \(origin.path.group)/\(pool), which is not that of device class "
          + deviceClass.name)
    }
  }

  private func encryption(of spec: VolumeSpec, _ origin: Origin?) throws -> VolumeEncryption? {
    let wanted = VolumeEncryption(canonical: spec.parameters)
    if let origin, origin.encryption != wanted {
      throw StorageError.invalid(
        "the source's encryption is \(origin.encryption?.rawValue ?? "none"), and so must be that of its copy")
    }
    return wanted
  }

  private static func format(copying origin: Origin, as content: VolumeContent) -> FormatState {
    // A header that was never finished, or a raw device of an encrypted volume: its state is what matters.
    guard case .filesystem(let type) = content else { return origin.encryption == nil ? .unformatted : origin.format }
    // Bytes of a raw device: whoever wrote them must have made a file system, for we never do.
    if origin.content == .block { return .copied(type) }
    // Two mounted btrfs must not have one UUID; ext4 does not mind and xfs is mounted with nouuid.
    return origin.format == .formatted && type == .btrfs ? .copied(.btrfs) : origin.format
  }

  private func build(_ plan: Plan) async throws -> VolumeRecord {
    let record = plan.record
    if let origin = plan.origin {
      try await copy(origin, as: record)
    } else {
      _ = try await lvm.create(
        NewLogicalVolume(
          record.path, size: record.size, kind: plan.deviceClass.layout.kind,
          tags: record.tags(owner: configuration.name)))
    }
    return record
  }

  /// Lets a copy that a crash left too small reach its size.
  private func finishCopy(_ present: VolumeRecord, _ plan: Plan) async throws -> VolumeRecord {
    guard present.source == plan.record.source, present.wantedSize == plan.record.wantedSize else {
      throw StorageError.incompatible("\(present.path) was begun for another request of this name")
    }
    try await lvm.extend(present.path, to: present.wantedSize)
    var record = present
    record.size = present.wantedSize
    return record
  }
}

extension DeviceClass.Layout {
  fileprivate var kind: NewLogicalVolume.Kind {
    switch self {
    case .thin(let pool): .thin(pool: pool)
    case .linear: .linear
    case .striped(let count): .striped(count)
    case .raid1(let count): .raid1(count)
    }
  }
}
