import JSONText

/// Requests to Cinder (Block Storage API v3). Sizes are in GiB, as Cinder counts them.
package enum Cinder {
  /// With less than 3.44 there is no way to complete an attachment: Queens (2018) and newer have it.
  package static let floor = Microversion(3, 44)

  static func need(_ floor: Microversion = floor, upTo wish: Microversion? = nil) -> MicroversionNeed {
    MicroversionNeed(floor: max(floor, Cinder.floor), wish: wish ?? max(floor, Cinder.floor))
  }

  /// The members that are there, as an object under `key`.
  static func body(_ key: String, _ members: [(String, JSON?)]) -> JSON {
    .object([JSON.Member(key, .object(members.compactMap { name, value in value.map { JSON.Member(name, $0) } }))])
  }

  static func metadata(_ values: [String: String]) -> JSON? { values.isEmpty ? nil : .strings(values) }

  static func action(
    _ name: String, _ collection: String, _ id: ResourceID, _ action: String, _ members: [(String, JSON?)] = [],
    need: MicroversionNeed = need()
  ) -> ServiceRequest<Void> {
    ServiceRequest(
      name, .blockStorage, .post, [collection, id.rawValue, "action"], body: body(action, members), microversion: need)
  }

  static func list<T>(
    _ name: String, _ path: [String], _ key: String, query: [QueryItem] = [], need: MicroversionNeed = need(),
    _ read: @escaping @Sendable (Fields) throws -> T
  ) -> ServiceRequest<[T]> {
    ServiceRequest(name, .blockStorage, .get, path, query: query, microversion: need) { response in
      try Fields(parsing: response.body).list(key).map(read)
    }
  }

  static func page<T>(
    _ name: String, _ path: [String], _ key: String, _ query: ListQuery, need: MicroversionNeed = need(),
    _ read: @escaping @Sendable (Fields) throws -> (ResourceID, T)
  ) -> ServiceRequest<Page<T>> {
    ServiceRequest(name, .blockStorage, .get, path, query: query.items, microversion: need) { response in
      try Page(response.body, key, read)
    }
  }
}

extension JSON {
  static func id(_ id: ResourceID?) -> JSON? { id.map { .string($0.rawValue) } }
  static func text(_ text: String?) -> JSON? { text.map { .string($0) } }
}
