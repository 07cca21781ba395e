import JSONText

/// An object of an answer, read field by field. Unknown fields do not matter, and null is absent.
struct Fields: Sendable {
  let json: JSON
  let path: String

  /// - Throws: `JSONError` when the text is no JSON object.
  init(parsing bytes: [UInt8]) throws { try self.init(JSON(parsing: bytes), path: "") }

  init(_ json: JSON, path: String) throws {
    guard case .object = json else { throw JSONError("expected an object, not \(json.kind)", path: path) }
    self.json = json
    self.path = path
  }

  private func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func value(_ key: String) -> JSON? {
    // Not `nil` in an expression: that may stand for `JSON.null`.
    guard let value = json[key], value != .null else { return Optional.none }
    return value
  }

  private func required<T>(_ key: String, _ value: T?) throws -> T {
    guard let value else { throw JSONError("missing", path: at(key)) }
    return value
  }

  private func typed<T>(_ key: String, _ kind: String, _ read: (JSON) -> T?) throws -> T? {
    guard let value = value(key) else { return nil }
    guard let result = read(value) else { throw JSONError("expected \(kind), not \(value.kind)", path: at(key)) }
    return result
  }

  func optionalString(_ key: String) throws -> String? { try typed(key, "a string") { $0.string } }
  func string(_ key: String) throws -> String { try required(key, optionalString(key)) }
  func optionalInteger(_ key: String) throws -> Int64? { try typed(key, "a whole number") { $0.integer } }
  func integer(_ key: String) throws -> Int64 { try required(key, optionalInteger(key)) }

  /// Services write switches as booleans and, in old fields, as texts.
  func optionalBool(_ key: String) throws -> Bool? {
    try typed(key, "a boolean") { $0.bool ?? $0.string.flatMap(CloudSettings.bool) }
  }

  /// A number, with a fraction or not; nil also for words such as `unknown` and `infinite`.
  func number(_ key: String) -> Double? {
    switch json[key] {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
    default: nil
    }
  }

  /// Seconds since 1970.
  func time(_ key: String) throws -> Double? {
    guard let text = try optionalString(key) else { return nil }
    guard let time = ServiceTime.seconds(rfc3339: text) else { throw JSONError("not a time", path: at(key)) }
    return time
  }

  func optionalObject(_ key: String) throws -> Fields? { try value(key).map { try Fields($0, path: at(key)) } }
  func object(_ key: String) throws -> Fields { try required(key, optionalObject(key)) }

  func optionalList(_ key: String) throws -> [Fields]? {
    try typed(key, "an array") { $0.array }?.enumerated().map { try Fields($1, path: "\(at(key))[\($0)]") }
  }
  func list(_ key: String) throws -> [Fields] { try required(key, optionalList(key)) }

  func optionalStrings(_ key: String) throws -> [String]? {
    try typed(key, "an array of strings") { value in
      guard let array = value.array else { return nil }
      let texts = array.compactMap(\.string)
      return texts.count == array.count ? texts : nil
    }
  }

  /// The members of an object as texts: other values are left out (metadata are texts, but nobody checks that).
  func metadata(_ key: String) throws -> [String: String] {
    guard case .object(let members)? = try optionalObject(key)?.json else { return [:] }
    var result: [String: String] = [:]
    for member in members { if let text = member.value.string { result[member.key] = text } }
    return result
  }
}
