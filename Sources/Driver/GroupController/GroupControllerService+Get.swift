import CSI
import Storage

extension GroupControllerService {
  /// GetVolumeGroupSnapshot: existence comes before the list of members.
  func getVolumeGroupSnapshot(
    _ request: GetVolumeGroupSnapshotRequest
  ) async throws -> GetVolumeGroupSnapshotResponse {
    let id = registry.parse(try FieldRules.required(request.groupSnapshotID, "group_snapshot_id"))
    let backend = try able(id)
    guard let group = try await backend.groupSnapshot(id.native) else {
      throw StorageError.notFound("group snapshot \(id) does not exist")
    }
    try checkMembers(request.snapshotIDs, of: group, backend)
    return GetVolumeGroupSnapshotResponse(groupSnapshot: registry.wire(group, of: backend))
  }
}
