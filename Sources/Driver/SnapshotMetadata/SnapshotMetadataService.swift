import CSI
import GRPC
import Storage

/// The SnapshotMetadata service (CSI spec, Snapshot Metadata Service RPC): which blocks a snapshot holds, and which
/// differ between two. Ranges ascend without overlap; a caller resumes with starting_offset.
struct SnapshotMetadataService: Sendable {
  let registry: BackendRegistry
  let gate: OperationGate

  func getMetadataAllocated(
    _ request: GetMetadataAllocatedRequest, _ writer: ResponseWriter<GetMetadataAllocatedResponse>
  ) async throws {
    let id = registry.parse(try FieldRules.required(request.snapshotID, "snapshot_id"))
    let batch = try BlockBatch(maxResults: request.maxResults)
    let backend = try able(id)
    try await gate.run(exclusive: [], shared: [.snapshot(id)], request: request) {
      let snapshot = try await ready(id, backend)
      try checkOffset(request.startingOffset, in: snapshot)
      var batch = batch
      func send(_ blocks: [BlockMetadata]) async throws {
        try await writer.write(
          GetMetadataAllocatedResponse(
            blockMetadataType: .variableLength, volumeCapacityBytes: snapshot.size.bytes, blockMetadata: blocks))
      }
      try await backend.allocatedBlocks(of: id.native, from: request.startingOffset) { ranges in
        for range in ranges { if let blocks = batch.add(range) { try await send(blocks) } }
      }
      if let blocks = batch.rest() { try await send(blocks) }
    }
  }

  func getMetadataDelta(
    _ request: GetMetadataDeltaRequest, _ writer: ResponseWriter<GetMetadataDeltaResponse>
  ) async throws {
    let base = registry.parse(try FieldRules.required(request.baseSnapshotID, "base_snapshot_id"))
    let target = registry.parse(try FieldRules.required(request.targetSnapshotID, "target_snapshot_id"))
    let batch = try BlockBatch(maxResults: request.maxResults)
    let backend = try able(target)
    try await gate.run(exclusive: [], shared: [.snapshot(base), .snapshot(target)], request: request) {
      try await checkPair(base, target)
      let snapshot = try await ready(target, backend)
      try checkOffset(request.startingOffset, in: snapshot)
      var batch = batch
      func send(_ blocks: [BlockMetadata]) async throws {
        try await writer.write(
          GetMetadataDeltaResponse(
            blockMetadataType: .variableLength, volumeCapacityBytes: snapshot.size.bytes, blockMetadata: blocks))
      }
      try await backend.changedBlocks(from: base.native, to: target.native, offset: request.startingOffset) { ranges in
        for range in ranges { if let blocks = batch.add(range) { try await send(blocks) } }
      }
      if let blocks = batch.rest() { try await send(blocks) }
    }
  }

  private func able(_ id: QualifiedID) throws -> any ChangedBlockBackend {
    guard let able = registry.backend(of: id) as? any ChangedBlockBackend else {
      throw StorageError.unsupported("backend \(id.backend) does not know the blocks of snapshots")
    }
    return able
  }

  /// - Throws: `.notFound`, `.unavailable` while it is not ready.
  private func ready(_ id: QualifiedID, _ backend: any ChangedBlockBackend) async throws -> Snapshot {
    guard let snapshot = try await backend.snapshot(id.native) else {
      throw StorageError.notFound("snapshot \(id) does not exist")
    }
    guard snapshot.isReady else { throw StorageError.unavailable("snapshot \(id) is not ready yet") }
    return snapshot
  }

  /// - Throws: `.invalid` for snapshots of different volumes.
  private func checkPair(_ base: QualifiedID, _ target: QualifiedID) async throws {
    let older = try await ready(base, try able(base))
    let newer = try await ready(target, try able(target))
    guard base.backend == target.backend, older.source == newer.source else {
      throw StorageError.invalid("the snapshots are of different volumes")
    }
  }

  private func checkOffset(_ offset: Int64, in snapshot: Snapshot) throws {
    guard offset >= 0, offset <= snapshot.size.bytes else {
      throw StorageError.outOfRange("starting_offset must lie between 0 and \(snapshot.size.bytes)")
    }
  }
}
