/// A JSON value. Integers keep all 64 bits; objects keep their order.
package enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// A number with a fraction or an exponent, or one beyond 64 bits.
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// One member of an object.
  package struct Member: Hashable, Sendable {
    package var key: String
    package var value: JSON
    package init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  /// The first member of an object with this key; nil for everything else.
  package subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// What kind of value it is, for messages to people.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements.map { Member($0.0, $0.1) }) }
  package init(nilLiteral: ()) { self = .null }
}

/// What is wrong with a JSON text or value, and where.
package struct JSONError: Error, Hashable, CustomStringConvertible {
  /// Steps from the root, such as `volume_capabilities[0].mount`; empty at the root and for errors of syntax.
  package var path: String
  package var reason: String

  package init(_ reason: String, path: String = "") {
    self.reason = reason
    self.path = path
  }

  /// The same error seen from one level further up.
  package func inside(_ step: String) -> JSONError {
    JSONError(reason, path: path.isEmpty ? step : path.hasPrefix("[") ? step + path : step + "." + path)
  }

  package var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}
