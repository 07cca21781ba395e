// What a value is, for code that knows what it should be: nil when it is something else.
extension JSON {
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  /// A whole number of at most 64 bits.
  package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  /// The members of an object whose values are all strings.
  package var strings: [String: String]? {
    guard case .object(let members) = self else { return nil }
    var texts: [String: String] = [:]
    for member in members {
      guard case .string(let text) = member.value else { return nil }
      texts[member.key] = text
    }
    return texts
  }

  /// An object with its keys in ascending order, so that equal members make equal texts.
  package static func object(sorting members: [String: JSON]) -> JSON {
    .object(members.sorted { $0.key < $1.key }.map { Member($0.key, $0.value) })
  }

  /// As `strings` reads it.
  package static func strings(_ values: [String: String]) -> JSON { object(sorting: values.mapValues(JSON.string)) }

  /// An object as a file of one line, its keys in ascending order.
  package static func line(_ members: [String: JSON]) -> [UInt8] { Array("\(object(sorting: members).text)\n".utf8) }
}
