import Host
import Storage

extension LVMBackend: ChangedBlockBackend {
  /// For one list, the caller's reading included: the pool's metadata grow meanwhile.
  private static let limit = Duration.seconds(600)

  /// Compared with itself, a snapshot tells all that is mapped.
  package func allocatedBlocks(
    of snapshot: NativeID, from offset: Int64, _ body: ([BlockRange]) async throws -> Void
  ) async throws {
    let record = try await readable(snapshot, from: offset)
    let thin = try await thin(record)
    try await tell(thin.id, thin.id, in: thin.pool, BlockRangeCollector(from: offset, size: record.size.bytes), body) {
      _ in true
    }
  }

  /// What was mapped and is not any more reads as zeroes: changed, too.
  package func changedBlocks(
    from base: NativeID, to target: NativeID, offset: Int64, _ body: ([BlockRange]) async throws -> Void
  ) async throws {
    let new = try await readable(target, from: offset)
    let old = try await readable(base, from: 0)
    guard old.source == new.source else { throw StorageError.invalid("the snapshots are of different volumes") }
    guard old.sourceUUID == new.sourceUUID else {
      throw StorageError.precondition(
        "volume \(new.source.shortened) was deleted and made anew between the snapshots: they have nothing in common")
    }
    let (left, right) = (try await thin(old), try await thin(new))
    guard left.pool == right.pool else {
      throw StorageError.precondition("the snapshots live in different pools, \(left.pool) and \(right.pool)")
    }
    try await tell(left.id, right.id, in: right.pool, BlockRangeCollector(from: offset, size: new.size.bytes), body) {
      $0 != .same
    }
  }

  private func tell(
    _ left: Int64, _ right: Int64, in pool: LVPath, _ collector: BlockRangeCollector,
    _ body: ([BlockRange]) async throws -> Void, where isWanted: (ThinDelta.Kind) -> Bool
  ) async throws {
    var collector = collector
    var delta = ThinDelta()
    let metadata = DeviceMapper.devicePath(of: LVPath(pool.group, pool.name + "_tmeta"))
    let output = try await metadataSnapshots.withSnapshot(of: pool) {
      try await Command.stream(
        ["thin_delta", "--metadata-snap", "--thin1", "\(left)", "--thin2", "\(right)", metadata],
        limit: Self.limit, package: "thin-provisioning-tools"
      ) { bytes in
        try delta.read(bytes) { kind, begin, length, blockSize in
          guard isWanted(kind) else { return }
          try collector.add(begin * blockSize..<(begin + length) * blockSize, blockSize: blockSize)
        }
        if let batch = collector.takeBatch() { try await body(batch) }
      }
    }
    guard output.succeeded, delta.isComplete else {
      throw StorageError.failed("thin_delta of the pool \(pool): \(output.status): \(output.text.prefix(300))")
    }
    let rest = collector.takeAll()
    if !rest.isEmpty { try await body(rest) }
  }

  /// - Throws: `.notFound`, `.outOfRange` for an offset outside the snapshot.
  private func readable(_ id: NativeID, from offset: Int64) async throws -> SnapshotRecord {
    guard let record = try await visibleSnapshot(id) else {
      throw StorageError.notFound("there is no snapshot \(id.shortened)")
    }
    guard offset >= 0, offset < record.size.bytes else {
      throw StorageError.outOfRange("offset \(offset) is not inside the \(record.size.bytes) bytes of the snapshot")
    }
    return record
  }

  private func thin(_ record: SnapshotRecord) async throws -> (pool: LVPath, id: Int64) {
    guard let volume = try await lvm.volume(record.path), let pool = volume.poolName, let id = volume.thinID else {
      throw StorageError.failed("LVM tells no thin id of \(record.path)")
    }
    return (LVPath(record.path.group, pool), id)
  }
}
