import Configuration

/// Settings in the vocabulary of clouds.yaml, whatever file or secret they come from.
///
/// Values are never part of a message: any of them may be a password, or a password in the wrong place.
struct CloudSettings: Sendable, Hashable {
  enum Value: Sendable, Hashable {
    case text(String)
    case list([Value])
    case mapping(CloudSettings)
  }

  var values: [String: Value] = [:]

  init(_ values: [String: Value] = [:]) { self.values = values }

  /// Reads a document whose root is a mapping; an empty one is a mapping without keys.
  /// - Throws: `ConfigurationError` with the line.
  init(parsing text: [UInt8]) throws {
    self.init()
    guard let root = try YAMLReader.parse(text), !root.isNull else { return }
    guard case .mapping(let entries) = root.content else {
      throw ConfigurationError("the document must be a mapping, not \(root.kind)", line: root.line)
    }
    self = CloudSettings(entries)
  }

  private init(_ entries: [YAMLNode.Entry]) {
    for entry in entries { values[entry.key] = Self.value(entry.value) }
  }

  private static func value(_ node: YAMLNode) -> Value? {
    switch node.content {
    case .scalar(let text, _): node.isNull ? nil : .text(text)
    case .sequence(let items): .list(items.compactMap(value))
    case .mapping(let entries): .mapping(CloudSettings(entries))
    }
  }

  /// These settings, with those of `other` in front, mapping by mapping.
  func overlaid(by other: CloudSettings) -> CloudSettings {
    var merged = self
    for (key, value) in other.values {
      if case .mapping(let upper) = value, case .mapping(let lower) = values[key] {
        merged.values[key] = .mapping(lower.overlaid(by: upper))
      } else {
        merged.values[key] = value
      }
    }
    return merged
  }

  /// - Throws: `ConfigurationError` when the key holds no mapping.
  func mapping(_ key: String) throws -> CloudSettings? {
    switch values[key] {
    case nil: nil
    case .mapping(let settings): settings
    default: throw ConfigurationError("\(key) must be a mapping")
    }
  }

  /// The text of a key; nil when it is absent or empty.
  /// - Throws: `ConfigurationError` when the key holds no single value, or one that no header or address may hold.
  func text(_ key: String) throws -> String? {
    guard let value = values[key] else { return nil }
    guard case .text(let text) = value else { throw ConfigurationError("\(key) must be one value") }
    guard text.utf8.count <= 64 << 10 else { throw ConfigurationError("\(key) is longer than 65536 bytes") }
    return text.isEmpty ? nil : text
  }

  func text(_ keys: [String]) throws -> String? {
    for key in keys { if let text = try text(key) { return text } }
    return nil
  }

  /// A switch as YAML 1.1 and INI files write it.
  func bool(_ key: String) throws -> Bool? {
    guard let text = try text(key) else { return nil }
    guard let value = Self.bool(text) else { throw ConfigurationError("\(key) must be true or false") }
    return value
  }

  static func bool(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on", "1", "t", "y": true
    case "false", "no", "off", "0", "f", "n": false
    default: nil
    }
  }
}
