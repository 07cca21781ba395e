import CSI
import Storage

extension GroupControllerService {
  /// DeleteVolumeGroupSnapshot: all members; succeeds for an unknown group whatever its list says.
  func deleteVolumeGroupSnapshot(
    _ request: DeleteVolumeGroupSnapshotRequest
  ) async throws -> DeleteVolumeGroupSnapshotResponse {
    let id = registry.parse(try FieldRules.required(request.groupSnapshotID, "group_snapshot_id"))
    let backend = try able(id)
    let members = request.snapshotIDs.map { OperationKey.snapshot(registry.parse($0)) }
    return try await gate.run(exclusive: [.group(id)] + members, request: request) {
      if let group = try await backend.groupSnapshot(id.native) {
        try checkMembers(request.snapshotIDs, of: group, backend)
      }
      // For an unknown group too: a crash may have left it half-deleted.
      try await backend.deleteGroupSnapshot(id.native, secrets: Secrets(request.secrets))
      return DeleteVolumeGroupSnapshotResponse()
    }
  }
}
