import CSI
import Storage

extension ControllerService {
  /// DeleteSnapshot: succeeds for a snapshot that does not exist.
  func deleteSnapshot(_ request: DeleteSnapshotRequest) async throws -> DeleteSnapshotResponse {
    let id = registry.parse(try FieldRules.required(request.snapshotID, "snapshot_id"))
    let backend = try able((any SnapshottingBackend).self, id, "snapshots")
    return try await gate.run(exclusive: [.snapshot(id)], request: request) {
      try await backend.deleteSnapshot(id.native, secrets: Secrets(request.secrets))
      return DeleteSnapshotResponse()
    }
  }
}
