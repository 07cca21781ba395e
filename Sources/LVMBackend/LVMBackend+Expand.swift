import Host
import Storage

extension LVMBackend: ExpandableBackend {
  package func expand(_ id: NativeID, to range: CapacityRange, secrets: Secrets) async throws -> Expansion {
    var record = try await existing(id)
    if let limit = range.limit, limit < record.capacity {
      throw StorageError.outOfRange("volume \(id) has \(record.capacity) already, above limit_bytes \(limit.bytes)")
    }
    guard let required = range.required, required > record.capacity else {
      return Expansion(capacity: record.capacity, needsNode: try needsNode(record))
    }
    let group = try await lvm.group(record.path.group)
    guard let volume = group.volumes[record.path.name] else {
      throw StorageError.notFound("there is no volume \(id.shortened)")
    }
    let deviceClass = deviceClass(named: record.deviceClass, of: volume, in: group.name)
    let size = try range.size(
      fallback: record.capacity, unit: deviceClass.sizeUnit(in: group), minimum: configuration.minimumSize,
      maximum: configuration.maximumSize)
    if size > record.size { record = try await grow(record, to: size, deviceClass) }
    record = try await finishGrowth(of: record)
    return Expansion(capacity: record.capacity, needsNode: try needsNode(record))
  }

  private func grow(_ record: VolumeRecord, to size: ByteCount, _ deviceClass: DeviceClass) async throws -> VolumeRecord
  {
    // An overwriting that is under way knows nothing of what would be added now.
    try checkIsNotBeingWiped(record.path)
    let reservation = try await reserve(size - record.size, in: deviceClass)
    defer { release(reservation) }
    var grown = record
    if !deviceClass.layout.isThin, deviceClass.wipe == .create, record.wipedSize == nil {
      try checkCanBeWiped(record)
      grown.wipedSize = record.size
      try await update(record, to: grown)
    }
    CrashPoint.expandBegun.reached()
    try await lvm.extend(record.path, to: size)
    CrashPoint.expandGrown.reached()
    grown.size = size
    return grown
  }

  private func checkCanBeWiped(_ record: VolumeRecord) throws {
    guard record.content == .block, record.encryption == nil, try DeviceMapper.info(record.path) != nil else { return }
    throw StorageError.precondition(
      "volume \(record.id) is in use as a raw device; its growth is wiped first, which takes it being disconnected")
  }

  /// File systems are compared with their device on the node; a device follows its volume by itself.
  private func needsNode(_ record: VolumeRecord) throws -> Bool {
    guard record.content == .block, record.encryption == nil else { return true }
    guard try DeviceMapper.info(record.path) != nil else { return false }
    return try BlockDevice.size(DeviceMapper.devicePath(of: record.path)) < record.capacity
  }
}
