import JSONText

/// The id of an object of a service. Nothing else gets into a path: `..` would be another path.
package struct ResourceID: Sendable, Hashable, CustomStringConvertible {
  package let rawValue: String

  /// nil when the text is no id: 1 to 64 letters, digits, `-` and `_`.
  package init?(_ text: String) {
    guard (1...64).contains(text.utf8.count),
      text.utf8.allSatisfy({ byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x2d
          || byte == 0x5f
      })
    else { return nil }
    rawValue = text
  }

  package var description: String { rawValue }
}

extension Fields {
  func optionalID(_ key: String) throws -> ResourceID? {
    guard let text = try optionalString(key), !text.isEmpty else { return nil }
    guard let id = ResourceID(text) else { throw JSONError("no id", path: path.isEmpty ? key : "\(path).\(key)") }
    return id
  }

  func id(_ key: String = "id") throws -> ResourceID {
    guard let id = try optionalID(key) else { throw JSONError("missing", path: path.isEmpty ? key : "\(path).\(key)") }
    return id
  }
}

/// A part of a list.
package struct Page<Item: Sendable>: Sendable {
  package var items: [Item]
  /// Where the next part begins; nil at the end.
  package var next: ResourceID?

  init(items: [Item], next: ResourceID?) {
    self.items = items
    self.next = next
  }

  /// Reads `{"<key>": [..], "<key>_links": [{"rel": "next", ..}]}`.
  init(_ body: [UInt8], _ key: String, _ read: (Fields) throws -> (ResourceID, Item)) throws {
    let answer = try Fields(parsing: body)
    let entries = try answer.list(key).map(read)
    let hasNext = try answer.optionalList("\(key)_links")?.contains { try $0.optionalString("rel") == "next" } ?? false
    self.init(items: entries.map(\.1), next: hasNext ? entries.last?.0 : nil)
  }
}

/// Which part of a list is asked for, and of which objects.
package struct ListQuery: Sendable, Hashable {
  package var name: String?
  package var status: String?
  /// Objects that have all of these.
  package var metadata: [String: String] = [:]
  /// Seconds since 1970: objects that changed after that.
  package var updatedAfter: Int?
  package var limit: Int?
  package var marker: ResourceID?

  package init(
    name: String? = nil, status: String? = nil, metadata: [String: String] = [:], updatedAfter: Int? = nil,
    limit: Int? = nil, marker: ResourceID? = nil
  ) {
    self.name = name
    self.status = status
    self.metadata = metadata
    self.updatedAfter = updatedAfter
    self.limit = limit
    self.marker = marker
  }

  var items: [QueryItem] {
    var items: [QueryItem] = []
    func add(_ key: String, _ value: String?) { if let value { items.append(QueryItem(key, value)) } }
    add("name", name)
    add("status", status)
    add("metadata", metadata.isEmpty ? nil : JSON.strings(metadata).text)
    add("updated_at", updatedAfter.map { "gt:\(ServiceTime.text(seconds: $0))" })
    add("limit", limit.map(String.init))
    add("marker", marker?.rawValue)
    return items
  }
}
