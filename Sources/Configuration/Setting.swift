/// One key of a configuration: how what it is given becomes a value. The file, the environment and the command line all
/// go through the same table, so that a value means the same wherever it stands.
package struct Setting<Root>: Sendable {
  /// What a key takes.
  enum Form: Sendable {
    case value(@Sendable (inout Root, String) throws -> Void)
    /// The file gives a list of texts, the environment gives them with ':' between.
    case list(@Sendable (inout Root, [String]) throws -> Void)
    /// A list with at least one mapping, which the file alone can give.
    case mappings(@Sendable (inout Root, [YAMLMapping]) throws -> Void)
  }

  package let key: String
  /// The environment variable of the same meaning, or nil.
  package let environment: String?
  package let summary: String
  let form: Form

  /// A setting of one value.
  static func value<T>(
    _ key: String, _ field: any WritableKeyPath<Root, T> & Sendable, environment: String? = nil, _ summary: String,
    parse: @escaping @Sendable (String) throws -> T
  ) -> Setting {
    let set: @Sendable (inout Root, String) throws -> Void = { root, text in
      root[keyPath: field] = try parsed(text, of: key, parse)
    }
    return Setting(key: key, environment: environment, summary: summary, form: .value(set))
  }

  /// A setting of several values.
  static func list<T>(
    _ key: String, _ field: any WritableKeyPath<Root, [T]> & Sendable, environment: String? = nil, _ summary: String,
    parse: @escaping @Sendable (String) throws -> T
  ) -> Setting {
    let set: @Sendable (inout Root, [String]) throws -> Void = { root, texts in
      root[keyPath: field] = try texts.map { try parsed($0, of: key, parse) }
    }
    return Setting(key: key, environment: environment, summary: summary, form: .list(set))
  }

  /// A setting of several mappings, each read by `read`, which throws with the line.
  static func mappings<T>(
    _ key: String, _ field: any WritableKeyPath<Root, [T]> & Sendable, _ summary: String,
    read: @escaping @Sendable (YAMLMapping) throws -> T
  ) -> Setting {
    let set: @Sendable (inout Root, [YAMLMapping]) throws -> Void = { root, mappings in
      root[keyPath: field] = try mappings.map(read)
    }
    return Setting(key: key, environment: nil, summary: summary, form: .mappings(set))
  }

  private static func parsed<T>(_ text: String, of key: String, _ parse: (String) throws -> T) throws -> T {
    do { return try parse(text) } catch let error as ConfigurationError {
      throw ConfigurationError("\(key) \(error.message), not \"\(text)\"")
    }
  }

  /// Takes what a variable or a flag says.
  func apply(_ text: String, to root: inout Root) throws {
    switch form {
    case .value(let set): try set(&root, text)
    case .list(let set): try set(&root, text.split(separator: ":").map(String.init))
    case .mappings: throw ConfigurationError("\(key) can be given in the file only")
    }
  }

  /// Takes what the file says.
  func apply(_ entry: YAMLNode.Entry, to root: inout Root) throws {
    switch form {
    case .value(let set): try set(&root, Self.text(of: entry))
    case .list(let set): try set(&root, Self.texts(of: entry))
    case .mappings(let set): try set(&root, Self.mappings(of: entry))
    }
  }

  private static func text(of entry: YAMLNode.Entry) throws -> String {
    guard case .scalar(let text, _) = entry.value.content, !entry.value.isNull else {
      throw ConfigurationError("\(entry.key) must be one value, not \(entry.value.kind)")
    }
    return text
  }

  private static func texts(of entry: YAMLNode.Entry) throws -> [String] {
    guard case .sequence(let items) = entry.value.content else {
      throw ConfigurationError("\(entry.key) must be a list of texts, not \(entry.value.kind)")
    }
    return try items.map { item in
      guard case .scalar(let text, _) = item.content, !item.isNull else {
        throw ConfigurationError("\(entry.key) must be a list of texts", line: item.line)
      }
      return text
    }
  }

  private static func mappings(of entry: YAMLNode.Entry) throws -> [YAMLMapping] {
    guard case .sequence(let items) = entry.value.content, !items.isEmpty else {
      throw ConfigurationError("\(entry.key) must be a list with at least one mapping, not \(entry.value.kind)")
    }
    return try items.map { item in
      guard case .mapping(let entries) = item.content else {
        throw ConfigurationError("\(entry.key) must be a list of mappings, not of \(item.kind)", line: item.line)
      }
      return YAMLMapping(entries: entries, line: item.line)
    }
  }
}

/// A mapping of the file and the line that it begins on.
package struct YAMLMapping: Hashable, Sendable {
  let entries: [YAMLNode.Entry]
  let line: Int
}

/// Sets the fields of `root` from a mapping of the file.
///
/// - Parameter elsewhere: keys that the caller reads itself.
/// - Throws: `ConfigurationError` with the line, for unknown keys with the nearest known one.
func setFields<Root>(
  of root: inout Root, from entries: [YAMLNode.Entry], settings: [Setting<Root>], elsewhere: [String] = []
) throws {
  for entry in entries where !elsewhere.contains(entry.key) {
    guard let setting = settings.first(where: { $0.key == entry.key }) else {
      throw ConfigurationError(unknown(entry.key, known: settings.map(\.key) + elsewhere), line: entry.line)
    }
    do { try setting.apply(entry, to: &root) } catch let error as ConfigurationError {
      throw ConfigurationError(error.message, line: error.line ?? entry.line)
    }
  }
}

/// `unknown key "driverNam"; did you mean driverName?`
func unknown(_ key: String, known: [String]) -> String {
  let nearest = known.map { (distance(Array(key.utf8), Array($0.utf8)), $0) }.min { $0.0 < $1.0 }
  guard let (steps, name) = nearest, steps <= max(2, key.utf8.count / 3) else {
    return "unknown key \"\(key)\"; known are \(known.sorted().joined(separator: ", "))"
  }
  return "unknown key \"\(key)\"; did you mean \(name)?"
}

/// How many letters must be put in, left out or changed to make `b` of `a`, upper and lower case being the same.
private func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  func fold(_ c: UInt8) -> UInt8 { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= c ? c + 32 : c }
  var row = Array(0...b.count)
  for (i, x) in a.prefix(64).enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (fold(x) == fold(y) ? 0 : 1))
      diagonal = row[j + 1]
      row[j + 1] = cost
    }
  }
  return row[b.count]
}
