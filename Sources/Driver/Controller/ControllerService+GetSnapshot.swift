import CSI
import Storage

extension ControllerService {
  /// GetSnapshot: finds snapshots that are not ready yet as well.
  func getSnapshot(_ request: GetSnapshotRequest) async throws -> GetSnapshotResponse {
    let id = registry.parse(try FieldRules.required(request.snapshotID, "snapshot_id"))
    let backend = try able((any SnapshottingBackend).self, id, "snapshots")
    guard let snapshot = try await backend.snapshot(id.native) else {
      throw StorageError.notFound("snapshot \(id) does not exist")
    }
    var response = GetSnapshotResponse()
    response.snapshot = registry.wire(snapshot, of: backend)
    return response
  }
}
