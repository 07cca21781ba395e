import Synchronization

extension PollSource where Object == Cinder.Volume {
  /// Volumes of one project.
  /// - Parameter metadata: what the volumes have that are waited for, such as the cluster's name: it keeps lists short.
  package static func volumes(_ client: ServiceClient, metadata: [String: String] = [:]) -> PollSource {
    let lists = ChangedLists(client, metadata: metadata)
    return PollSource(
      .blockStorage, kind: "volume",
      get: { id, deadline in try await client.find(Cinder.getVolume(id), deadline: deadline) },
      list: { extent, deadline in
        try await lists.read(extent, deadline, { Cinder.listVolumes($0) }, id: \.id)
      }, state: \.status)
  }
}

extension PollSource where Object == Cinder.Snapshot {
  /// Snapshots of one project.
  package static func snapshots(_ client: ServiceClient, metadata: [String: String] = [:]) -> PollSource {
    let lists = ChangedLists(client, metadata: metadata)
    return PollSource(
      .blockStorage, kind: "snapshot",
      get: { id, deadline in try await client.find(Cinder.getSnapshot(id), deadline: deadline) },
      list: { extent, deadline in
        try await lists.read(extent, deadline, { Cinder.listSnapshots($0) }, id: \.id)
      }, state: \.status)
  }
}

extension PollSource where Object == Cinder.Backup {
  /// Backups of one project. Cinder's lists of them know no filter for metadata.
  package static func backups(_ client: ServiceClient) -> PollSource {
    let lists = ChangedLists(client, metadata: [:])
    return PollSource(
      .blockStorage, kind: "backup",
      get: { id, deadline in try await client.find(Cinder.getBackup(id), deadline: deadline) },
      list: { extent, deadline in
        try await lists.read(extent, deadline, { Cinder.listBackups($0) }, id: \.id)
      }, state: \.status)
  }
}

extension ServiceClient {
  /// What a request finds; nil for 404.
  package func find<Answer>(
    _ request: ServiceRequest<Answer>, deadline: ContinuousClock.Instant
  ) async throws -> Answer? {
    do { return try await send(request, deadline: deadline) } catch let error as OpenStackError
      where error.kind == .notFound && error.service == service
    { return nil }
  }

  /// All parts of a list.
  /// - Parameter limit: more objects than that are an error: a service that never ends its list must not fill memory.
  package func all<Item>(
    _ query: ListQuery = ListQuery(), limit: Int = 200_000, deadline: ContinuousClock.Instant,
    _ request: (ListQuery) -> ServiceRequest<Page<Item>>
  ) async throws -> [Item] {
    var items: [Item] = []
    var query = query
    query.limit = query.limit ?? 1000
    while true {
      let page = try await send(request(query), deadline: deadline)
      items += page.items
      guard let next = page.next, next != query.marker else { return items }
      guard items.count <= limit else { throw OpenStackError(service, .malformed, "the list has no end") }
      query.marker = next
    }
  }
}

/// Lists of what changed, where the service can make them.
private final class ChangedLists: Sendable {
  /// The times of changes are whole seconds, are made by several hosts' clocks, and the service's clock is known to a
  /// second.
  static let overlap = 10.0

  private let client: ServiceClient
  private let metadata: [String: String]
  /// Set when an operator does not allow the filter.
  private let isRefused = Mutex(false)

  init(_ client: ServiceClient, metadata: [String: String]) {
    self.client = client
    self.metadata = metadata
  }

  func read<Object: Sendable>(
    _ extent: PollSource<Object>.Extent, _ deadline: ContinuousClock.Instant,
    _ request: (ListQuery) -> ServiceRequest<Page<Object>>, id: KeyPath<Object, ResourceID>
  ) async throws -> PollSource<Object>.Listing {
    func listing(_ query: ListQuery, isPartial: Bool) async throws -> PollSource<Object>.Listing {
      let items = try await client.all(query, deadline: deadline, request)
      let objects = Dictionary(items.map { ($0[keyPath: id], $0) }) { $1 }
      return .init(objects: objects, isWhole: !isPartial && query.metadata.isEmpty, isPartial: isPartial)
    }
    if case .changed(let since) = extent, let query = try await changed(since, deadline) {
      do { return try await listing(query, isPartial: true) } catch let error as OpenStackError
        where error.kind == .invalid
      { isRefused.withLock { $0 = true } }
    }
    return try await listing(ListQuery(metadata: metadata), isPartial: false)
  }

  private func changed(
    _ since: ContinuousClock.Instant, _ deadline: ContinuousClock.Instant
  ) async throws -> ListQuery? {
    guard !isRefused.withLock({ $0 }), let time = client.serviceTime(at: since) else { return nil }
    let need = MicroversionNeed(floor: Cinder.updatedAtFloor, wish: Cinder.updatedAtFloor)
    guard try await client.microversion(for: need, deadline: deadline) != nil else { return nil }
    return ListQuery(updatedAfter: Int((time - Self.overlap).rounded(.down)))
  }
}
