import CSI
import Storage

extension ControllerService {
  /// ListSnapshots: filters narrow together; what matches nothing is an empty list.
  func listSnapshots(_ request: ListSnapshotsRequest) async throws -> ListSnapshotsResponse {
    let pager = try Pager(maxEntries: request.maxEntries, startingToken: request.startingToken)
    let one = try FieldRules.optional(request.snapshotID, "snapshot_id")
    let source = try FieldRules.optional(request.sourceVolumeID, "source_volume_id")
    let sources = try snapshotSources(
      one.isEmpty ? nil : registry.parse(one), of: source.isEmpty ? nil : registry.parse(source))
    let page = try await pager.page(sources, id: \.id) { snapshot, backend in
      var entry = ListSnapshotsResponse.Entry()
      entry.snapshot = registry.wire(snapshot, of: backend)
      // Three ids with their prefixes, a size, a time and the frames.
      return Pager.Sized(entry: entry, bytes: 640)
    }
    var response = ListSnapshotsResponse()
    response.entries = page.entries
    response.nextToken = page.next
    return response
  }

  private func snapshotSources(
    _ one: QualifiedID?, of source: QualifiedID?
  ) throws -> [Pager.Source<Snapshot>] {
    let able = registry.all.compactMap { $0 as? any SnapshottingBackend }
    guard !able.isEmpty else { throw StorageError.unsupported("no backend has snapshots") }
    return able.map { backend in
      .init(backend: backend) { after, limit in
        guard source == nil || source?.backend == backend.name else { return [] }
        guard let one else {
          return try await backend.snapshots(source: source?.native, after: after, limit: limit)
        }
        guard one.backend == backend.name, after.map({ $0 < one.native }) ?? true,
          let snapshot = try await backend.snapshot(one.native),
          source == nil || snapshot.source == source?.native
        else { return [] }
        return [snapshot]
      }
    }
  }
}
