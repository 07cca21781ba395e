import Storage

/// Collects one page of a listing over several backends, cut by number and by bytes: Go clients take no more than 4 MiB
/// in one message.
struct Pager {
  /// What one backend adds: its items above an id, in ascending order, at most so many.
  struct Source<Item> {
    let backend: any StorageBackend
    let items: (_ after: NativeID?, _ limit: Int) async throws -> [Item]
  }

  /// An entry of the answer and no less than its size on the wire.
  struct Sized<Entry> {
    let entry: Entry
    let bytes: Int
  }

  static let byteLimit = 3 << 20
  private static let batch = 1024

  let start: PageToken?
  let limit: Int

  /// - Parameters follow the wire: 0 entries means no limit, an empty token the beginning.
  init(maxEntries: Int32, startingToken: String) throws {
    limit = try FieldRules.maxEntries(maxEntries)
    start = startingToken.isEmpty ? nil : try PageToken(parsing: startingToken)
  }

  /// - Parameter entry: turns an item into an entry, or leaves it out with nil.
  /// - Returns: the entries, and the token of the rest when more remains.
  func page<Item, Entry>(
    _ sources: [Source<Item>], id: (Item) -> NativeID,
    entry: (Item, any StorageBackend) async throws -> Sized<Entry>?
  ) async throws -> (entries: [Entry], next: String) {
    var entries: [Entry] = []
    var bytes = 0
    var last = start
    let first = try start.map { start in
      guard let index = sources.firstIndex(where: { $0.backend.name == start.backend }) else {
        throw StorageError.staleToken("starting_token names a backend that is not listed")
      }
      return index
    }
    for source in sources[(first ?? 0)...] {
      var after = source.backend.name == start?.backend ? start?.last : nil
      while true {
        let wanted = min(limit - entries.count, Self.batch) + 1
        let items = try await source.items(after, wanted)
        for item in items {
          after = id(item)
          guard let sized = try await present(item, source.backend, entry) else { continue }
          if entries.count == limit || (bytes + sized.bytes > Self.byteLimit && !entries.isEmpty) {
            return (entries, last?.text ?? "")
          }
          entries.append(sized.entry)
          bytes += sized.bytes
          last = PageToken(backend: source.backend.name, last: id(item))
        }
        if items.count < wanted { break }
      }
    }
    return (entries, "")
  }

  /// What was deleted while the page was made is left out.
  private func present<Item, Entry>(
    _ item: Item, _ backend: any StorageBackend, _ entry: (Item, any StorageBackend) async throws -> Sized<Entry>?
  ) async throws -> Sized<Entry>? {
    do {
      return try await entry(item, backend)
    } catch StorageError.notFound {
      return nil
    }
  }
}

extension [String: String] {
  /// No less than the bytes that a map field takes.
  var wireBound: Int { reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 16 } }
}
