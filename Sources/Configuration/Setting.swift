/// One key of a configuration: how its text becomes a value. The file, the environment and the command line all go
/// through the same table, so that a value means the same wherever it stands.
package struct Setting<Root>: Sendable {
  package let key: String
  /// The environment variable of the same meaning, or nil.
  package let environment: String?
  /// Whether the file gives a list of texts; the environment gives them with ':' between.
  package let isList: Bool
  package let summary: String
  let apply: @Sendable (inout Root, [String]) throws -> Void

  /// A setting of one value.
  static func value<T>(
    _ key: String, _ field: any WritableKeyPath<Root, T> & Sendable, environment: String? = nil, _ summary: String,
    parse: @escaping @Sendable (String) throws -> T
  ) -> Setting {
    Setting(key: key, environment: environment, isList: false, summary: summary) { root, texts in
      guard let text = texts.first, texts.count == 1 else { throw ConfigurationError("\(key) takes one value") }
      do { root[keyPath: field] = try parse(text) } catch let error as ConfigurationError {
        throw ConfigurationError("\(key) \(error.message), not \"\(text)\"")
      }
    }
  }

  /// A setting of several values.
  static func list<T>(
    _ key: String, _ field: any WritableKeyPath<Root, [T]> & Sendable, environment: String? = nil, _ summary: String,
    parse: @escaping @Sendable (String) throws -> T
  ) -> Setting {
    Setting(key: key, environment: environment, isList: true, summary: summary) { root, texts in
      root[keyPath: field] = try texts.map { text in
        do { return try parse(text) } catch let error as ConfigurationError {
          throw ConfigurationError("\(key) \(error.message), not \"\(text)\"")
        }
      }
    }
  }
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
    do { try setting.apply(&root, texts(of: entry, asList: setting.isList)) } catch let error as ConfigurationError {
      throw ConfigurationError(error.message, line: error.line ?? entry.line)
    }
  }
}

private func texts(of entry: YAMLNode.Entry, asList: Bool) throws -> [String] {
  switch entry.value.content {
  case .scalar(let text, _) where !asList && !entry.value.isNull:
    return [text]
  case .sequence(let items) where asList:
    return try items.map { item in
      guard case .scalar(let text, _) = item.content, !item.isNull else {
        throw ConfigurationError("\(entry.key) must be a list of texts", line: item.line)
      }
      return text
    }
  default:
    throw ConfigurationError(
      "\(entry.key) must be \(asList ? "a list of texts" : "one value"), not \(entry.value.kind)")
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
