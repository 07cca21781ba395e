/// The members of the JSON object of a message, in the order of its fields; defaults are left out.
struct JSONFields {
  /// Key under which the kubelet passes service account tokens in a volume context.
  static let tokensKey = "csi.storage.k8s.io/serviceAccount.tokens"

  let redacting: Bool
  private(set) var members: [JSON.Member] = []

  init(redacting: Bool) { self.redacting = redacting }

  var object: JSON { .object(members) }

  private mutating func append(_ key: String, _ value: JSON) { members.append(JSON.Member(key, value)) }

  mutating func add(_ key: String, _ value: String) { if !value.isEmpty { append(key, .string(value)) } }
  mutating func add(_ key: String, _ value: Bool) { if value { append(key, true) } }
  mutating func add(_ key: String, _ value: Int32) { if value != 0 { append(key, .integer(Int64(value))) } }
  mutating func add(_ key: String, _ value: Int64) { if value != 0 { append(key, .integer(value)) } }
  mutating func add(_ key: String, _ value: Bool?) { if let value { append(key, .bool(value)) } }
  mutating func add(_ key: String, _ value: Int64?) { if let value { append(key, .integer(value)) } }

  mutating func add(_ key: String, _ value: some CSIEnum) {
    guard value.rawValue != 0 else { return }
    if type(of: value).allCases.contains(value) {
      append(key, .string(value.name))
    } else {
      append(key, .integer(Int64(value.rawValue)))
    }
  }

  mutating func add(_ key: String, _ values: [String]) {
    if !values.isEmpty { append(key, .array(values.map { .string($0) })) }
  }

  /// Texts that may hold secrets: shown to the user, never in a log.
  mutating func addSensitive(_ key: String, _ values: [String]) {
    if redacting && !values.isEmpty { append(key, .string(SecretMap.stripped)) } else { add(key, values) }
  }

  mutating func add(_ key: String, _ map: [String: String]) {
    guard !map.isEmpty else { return }
    let members = map.sorted { $0.key < $1.key }.map { key, value in
      JSON.Member(key, .string(redacting && key == Self.tokensKey ? SecretMap.stripped : value))
    }
    append(key, .object(members))
  }

  mutating func add(_ key: String, _ secrets: SecretMap) {
    if !secrets.isEmpty { append(key, .string(SecretMap.stripped)) }
  }

  mutating func add(_ key: String, _ message: (some CSIMessage)?) {
    if let message { append(key, message.json(redacting: redacting)) }
  }

  mutating func add(_ key: String, _ messages: [some CSIMessage]) {
    if !messages.isEmpty { append(key, .array(messages.map { $0.json(redacting: redacting) })) }
  }
}

/// Reading: each function takes one kind of field from a JSON value or says what it should have been.
extension JSON {
  /// Calls `read` for every member that is not null; it answers false for a key that it does not know.
  func forEachField(
    of message: String, _ read: (_ key: String, _ value: JSON) throws(JSONError) -> Bool
  ) throws(JSONError) {
    guard case .object(let members) = self else { throw JSONError("expected an object (\(message)), found \(kind)") }
    for member in members where member.value != .null {
      do throws(JSONError) {
        guard try read(member.key, member.value) else { throw JSONError("\(message) has no such field") }
      } catch {
        throw error.inside(member.key)
      }
    }
  }

  func stringField() throws(JSONError) -> String {
    guard case .string(let value) = self else { throw JSONError("expected a string, found \(kind)") }
    guard !value.utf8.contains(0) else { throw JSONError("holds a NUL character") }
    return value
  }

  func boolField() throws(JSONError) -> Bool {
    guard case .bool(let value) = self else { throw JSONError("expected true or false, found \(kind)") }
    return value
  }

  func int64Field() throws(JSONError) -> Int64 {
    switch self {
    case .integer(let value): return value
    case .number(let value):
      guard let exact = Int64(exactly: value) else { throw JSONError("not a 64-bit integer") }
      return exact
    case .string(let text):
      guard let value = Int64(text), text.utf8.first != UInt8(ascii: "+") else {
        throw JSONError("not a 64-bit integer")
      }
      return value
    default: throw JSONError("expected an integer, found \(kind)")
    }
  }

  func int32Field() throws(JSONError) -> Int32 {
    guard let value = Int32(exactly: try int64Field()) else { throw JSONError("not a 32-bit integer") }
    return value
  }

  func enumField<E: CSIEnum>() throws(JSONError) -> E {
    guard case .string(let name) = self else { return E(rawValue: try int32Field()) }
    guard let value = E(name: name) else {
      throw JSONError("no such value; known are " + E.allCases.map(\.name).joined(separator: ", "))
    }
    return value
  }

  func arrayField<T>(_ element: (JSON) throws(JSONError) -> T) throws(JSONError) -> [T] {
    guard case .array(let elements) = self else { throw JSONError("expected an array, found \(kind)") }
    var result: [T] = []
    result.reserveCapacity(elements.count)
    for (index, json) in elements.enumerated() {
      do { result.append(try element(json)) } catch { throw error.inside("[\(index)]") }
    }
    return result
  }

  func stringsField() throws(JSONError) -> [String] {
    try arrayField { (json) throws(JSONError) in try json.stringField() }
  }

  func messagesField<M: CSIMessage>() throws(JSONError) -> [M] {
    try arrayField { (json) throws(JSONError) in try M(json: json) }
  }

  func mapField() throws(JSONError) -> [String: String] {
    guard case .object(let members) = self else { throw JSONError("expected an object, found \(kind)") }
    var result: [String: String] = [:]
    for member in members {
      guard !member.key.utf8.contains(0) else { throw JSONError("a key holds a NUL character") }
      do { result[member.key] = try member.value.stringField() } catch { throw error.inside(member.key) }
    }
    return result
  }

  func secretsField() throws(JSONError) -> SecretMap { SecretMap(try mapField()) }

  func messageField<M: CSIMessage>() throws(JSONError) -> M { try M(json: self) }

  /// A member of a oneof, of which only one may be there.
  func memberField<M: CSIMessage>(unless isSet: Bool) throws(JSONError) -> M {
    guard !isSet else { throw JSONError("excludes a field that is also there") }
    return try M(json: self)
  }
}
