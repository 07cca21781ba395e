import CSI
import Storage

extension ControllerService {
  /// CreateSnapshot: idempotent by name and source; returns when the snapshot is cut, ready or not.
  func createSnapshot(_ request: CreateSnapshotRequest) async throws -> CreateSnapshotResponse {
    let name = try FieldRules.name(request.name)
    let source = registry.parse(try FieldRules.required(request.sourceVolumeID, "source_volume_id"))
    let backend = try able((any SnapshottingBackend).self, source, "snapshots")
    let parameters = ClassParameters(try FieldRules.map(request.parameters, "parameters"))
    let spec = SnapshotSpec(
      name: name, source: source.native, parameters: try backend.canonical(snapshotParameters: parameters.rest),
      secrets: Secrets(request.secrets))
    let derived = backend.snapshotID(forName: name).map { [OperationKey.snapshot(registry.id($0, of: backend))] }
    return try await gate.run(
      exclusive: [.snapshotName(name), .cut(source)] + (derived ?? []), shared: [.volume(source)], request: request
    ) {
      if let (existing, owner) = try await snapshot(named: name) {
        guard registry.id(existing.source, of: owner) == source else {
          throw StorageError.incompatible("a snapshot of this name exists for another volume")
        }
        return response(existing, owner)
      }
      _ = try await registry.volume(source)
      return response(try await backend.createSnapshot(spec), backend)
    }
  }

  private func response(_ snapshot: Snapshot, _ backend: any StorageBackend) -> CreateSnapshotResponse {
    var response = CreateSnapshotResponse()
    response.snapshot = registry.wire(snapshot, of: backend)
    return response
  }

  private func snapshot(named name: String) async throws -> (Snapshot, any StorageBackend)? {
    for case let backend as any SnapshottingBackend in registry.all {
      if let snapshot = try await backend.snapshot(named: name) { return (snapshot, backend) }
    }
    return nil
  }
}
