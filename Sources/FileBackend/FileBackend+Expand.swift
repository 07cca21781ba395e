import Glibc
import Host
import Storage

extension FileBackend: ExpandableBackend {
  package func expand(_ id: NativeID, to range: CapacityRange, secrets: Secrets) async throws -> Expansion {
    var record = try existing(id)
    if let limit = range.limit, limit < record.capacity {
      throw StorageError.outOfRange("volume \(id) has \(record.capacity) already, above limit_bytes \(limit.bytes)")
    }
    guard let required = range.required, required > record.capacity else {
      return Expansion(capacity: record.capacity, needsNode: try needsNode(record))
    }
    let size = try range.size(
      fallback: record.capacity, unit: Self.sizeUnit, minimum: configuration.minimumSize,
      maximum: configuration.maximumSize)
    let growth = size - record.capacity
    try reserve(growth)
    do {
      CrashPoint.expandBegun.reached()
      try grow(record, to: size)
      CrashPoint.expandGrown.reached()
      record.capacity = size
      // When this fails, the file stays longer than its record: the next expansion or start puts that right.
      try update(record)
      CrashPoint.expandRecorded.reached()
    } catch {
      release(growth)
      throw error
    }
    return Expansion(capacity: size, needsNode: try needsNode(record))
  }

  private func grow(_ record: VolumeRecord, to size: ByteCount) throws {
    let path = layout.data(ofVolume: record.id)
    guard try disk.usage(of: path) != nil else { throw missingData(record) }
    let file = try disk.open(path, O_RDWR)
    do {
      if Provisioning(canonical: record.parameters) == .thick { try disk.allocate(file, upTo: size) }
      // May also cut off what an earlier, larger, failed expansion left: nobody saw more than the record's size.
      try disk.resize(file, to: size)
      try disk.sync(file)
    } catch {
      try? disk.resize(file, to: record.capacity)
      throw error
    }
  }

  /// File systems are compared with their device on the node; a device only has to show the file's size, and what lies
  /// on top of an encrypted one has to follow it.
  private func needsNode(_ record: VolumeRecord) throws -> Bool {
    guard record.content == .block else { return true }
    let isEncrypted = VolumeEncryption(canonical: record.parameters) != nil
    return try LoopDevice.attached(to: layout.data(ofVolume: record.id)).contains {
      try isEncrypted || BlockDevice.size($0.path) < record.capacity
    }
  }

  func missingData(_ record: VolumeRecord) -> StorageError {
    .dataLoss("the data of volume \(record.id) is missing from \(layout.volumes)")
  }
}
