import CSI
import Storage

extension GroupControllerService {
  /// CreateVolumeGroupSnapshot: all members at one point in time, idempotent by name and the set of sources.
  func createVolumeGroupSnapshot(
    _ request: CreateVolumeGroupSnapshotRequest
  ) async throws -> CreateVolumeGroupSnapshotResponse {
    let name = try FieldRules.name(request.name)
    let sources = try sources(of: request)
    let backend = try able(sources[0])
    let parameters = ClassParameters(try FieldRules.map(request.parameters, "parameters"))
    let spec = GroupSnapshotSpec(
      name: name, sources: sources.map(\.native),
      parameters: try backend.canonical(snapshotParameters: parameters.rest), secrets: Secrets(request.secrets))
    let derived = backend.groupSnapshotID(forName: name).map { [OperationKey.group(registry.id($0, of: backend))] }
    return try await gate.run(
      exclusive: [.groupName(name)] + sources.map(OperationKey.cut) + (derived ?? []),
      shared: sources.map(OperationKey.volume), request: request
    ) {
      if let existing = try await backend.groupSnapshot(named: name) {
        guard Set(existing.members.map(\.source)) == Set(spec.sources) else {
          throw StorageError.incompatible("a group snapshot of this name exists for other volumes")
        }
        return CreateVolumeGroupSnapshotResponse(groupSnapshot: registry.wire(existing, of: backend))
      }
      for source in sources { _ = try await registry.volume(source) }
      let group = try await backend.createGroupSnapshot(spec)
      return CreateVolumeGroupSnapshotResponse(groupSnapshot: registry.wire(group, of: backend))
    }
  }

  /// At least one, each once, all of one backend.
  private func sources(of request: CreateVolumeGroupSnapshotRequest) throws -> [QualifiedID] {
    var sources: [QualifiedID] = []
    for text in request.sourceVolumeIDs {
      let id = registry.parse(try FieldRules.required(text, "source_volume_ids"))
      if !sources.contains(id) { sources.append(id) }
    }
    guard let first = sources.first else { throw StorageError.invalid("source_volume_ids is required") }
    guard sources.allSatisfy({ $0.backend == first.backend }) else {
      throw StorageError.precondition("volumes of different backends cannot be cut at one point in time")
    }
    return sources
  }
}
