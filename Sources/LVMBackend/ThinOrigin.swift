import Host
import Storage

/// A thin volume, or a snapshot, that a copy is made of.
struct ThinOrigin: Sendable {
  /// Of the volume or snapshot.
  let id: NativeID
  let origin: Origin
  let volume: LogicalVolume
  let pool: LVPath

  var path: LVPath { origin.path }
  var size: ByteCount { origin.size }
  var encryption: VolumeEncryption? { origin.encryption }
  var content: VolumeContent { origin.content }
}

extension LVMBackend {
  /// The volume that a snapshot is to be cut of.
  /// - Throws: `.notFound`, `.precondition` when it is thick.
  func thinOrigin(_ id: NativeID) async throws -> ThinOrigin {
    let record = try await existing(id)
    guard let origin = try await thinOrigin(Origin(record), id) else {
      throw StorageError.precondition("volume \(id.shortened) is thick: only volumes in a thin pool have snapshots")
    }
    return origin
  }

  /// - Returns: nil when it lives in no thin pool.
  func thinOrigin(_ origin: Origin, _ id: NativeID) async throws -> ThinOrigin? {
    guard let volume = try await lvm.volume(origin.path) else {
      throw StorageError.notFound("there is no logical volume \(origin.path)")
    }
    guard volume.layout == .thin, let pool = volume.poolName else { return nil }
    return ThinOrigin(id: id, origin: origin, volume: volume, pool: LVPath(origin.path.group, pool))
  }

  /// Calls `body`, which makes a copy, while its whole size is promised to it.
  /// - Throws: `.exhausted`; what `body` throws.
  func reserving<Value>(_ origin: ThinOrigin, _ body: () async throws -> Value) async throws -> Value {
    let reservation = try await reserve(
      origin.size, in: deviceClass(named: origin.origin.deviceClass, of: origin.volume, in: origin.path.group))
    defer { release(reservation) }
    return try await body()
  }

  /// Copies grow a pool without anybody having written, and its metadata above all.
  /// - Throws: `.exhausted` when metadata are used to 75 % or data to 95 %, `.precondition` when the pool takes no
  ///   writes, `.unavailable` when it is not active.
  func checkPool(_ pool: LVPath) throws {
    guard let status = try DeviceMapper.poolStatus(pool) else {
      throw StorageError.unavailable("the pool \(pool) is not active")
    }
    switch status.mode {
    case .failed: throw StorageError.precondition("the pool \(pool) has failed and needs repair")
    case .readOnly: throw StorageError.precondition("the pool \(pool) is read-only")
    case .outOfDataSpace: throw StorageError.exhausted("the pool \(pool) is full")
    case .writable: break
    }
    guard !status.needsCheck else { throw StorageError.precondition("the pool \(pool) needs a check") }
    guard status.metadataPercent < 75 else {
      throw StorageError.exhausted("the metadata of the pool \(pool) are used to \(status.metadataPercent) %")
    }
    guard status.dataPercent < 95 else {
      throw StorageError.exhausted("the pool \(pool) is used to \(status.dataPercent) %")
    }
  }
}

extension DeviceMapper.PoolStatus {
  /// 0 to 100, rounded down.
  var dataPercent: Int64 { Self.percent(usedData, of: totalData) }
  var metadataPercent: Int64 { Self.percent(usedMetadata, of: totalMetadata) }

  private static func percent(_ part: ByteCount, of whole: ByteCount) -> Int64 {
    whole > .zero ? Int64(Double(part.bytes) / Double(whole.bytes) * 100) : 0
  }
}

extension SnapshotRecord {
  init(
    of origin: ThinOrigin, id: NativeID, name: String, at path: LVPath, created: Timestamp, group: Group?
  ) {
    self.init(
      path: path, id: id, name: name, source: origin.id, sourceUUID: origin.volume.uuid, size: origin.size,
      created: created, deviceClass: origin.origin.deviceClass, content: origin.origin.content,
      format: origin.origin.format, encryption: origin.encryption, group: group)
  }
}
