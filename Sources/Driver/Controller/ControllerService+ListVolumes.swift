import CSI
import Storage

extension ControllerService {
  /// ListVolumes: all volumes of all backends in the order of their ids.
  func listVolumes(_ request: ListVolumesRequest) async throws -> ListVolumesResponse {
    let pager = try Pager(maxEntries: request.maxEntries, startingToken: request.startingToken)
    let page = try await pager.page(volumeSources(), id: \.id) { volume, backend in
      try await entry(volume, backend)
    }
    var response = ListVolumesResponse()
    response.entries = page.entries
    response.nextToken = page.next
    return response
  }

  /// - Throws: `.unsupported` when no backend can list.
  func volumeSources() throws -> [Pager.Source<Volume>] {
    let listable = registry.all.compactMap { $0 as? any ListableBackend }
    guard !listable.isEmpty else { throw StorageError.unsupported("volumes cannot be listed") }
    return listable.map { backend in
      .init(backend: backend) { after, limit in try await backend.volumes(after: after, limit: limit) }
    }
  }

  private func entry(
    _ volume: Volume, _ backend: any StorageBackend
  ) async throws -> Pager.Sized<ListVolumesResponse.Entry> {
    var status = ListVolumesResponse.VolumeStatus()
    status.publishedNodeIDs = volume.publishedNodes.map(\.rawValue)
    status.volumeCondition = try await recentCondition(of: volume.id, backend)?.wire
    var entry = ListVolumesResponse.Entry()
    entry.volume = registry.wire(volume, of: backend)
    entry.status = status
    let nodes = status.publishedNodeIDs.reduce(0) { $0 + $1.utf8.count + 4 }
    let places = volume.topology.reduce(0) { $0 + $1.segments.wireBound + 8 }
    // 512: ids of volume, backend and source with their frames.
    let bytes = 512 + volume.context.wireBound + nodes + places + (status.volumeCondition?.message.utf8.count ?? 0)
    return Pager.Sized(entry: entry, bytes: bytes)
  }
}
