import Configuration

/// A file in the dialect of cloud.conf: that of git-config(1), which cinder-csi's reader takes.
///
/// Sections may have a second name in quotes and may stand more than once; of a key that stands twice, the later value
/// counts. Names of sections and keys are the same in upper and lower case. A key without a value is `true`.
struct INIFile: Sendable, Hashable {
  struct Section: Sendable, Hashable {
    /// In lower case.
    var name: String
    /// The name in quotes; empty when there is none.
    var subsection: String
  }

  private(set) var sections: [Section: [String: String]] = [:]

  /// - Throws: `ConfigurationError` with the line; no message holds a part of the file.
  mutating func read(_ bytes: [UInt8]) throws {
    guard bytes.count <= YAMLReader.maximumBytes, let text = String(validating: bytes, as: UTF8.self),
      !bytes.contains(0)
    else { throw ConfigurationError("the file is no text, or larger than \(YAMLReader.maximumBytes) bytes") }
    var section: Section?
    var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().makeIterator()
    while let (index, line) = lines.next() {
      var line = Scanner(line)
      do {
        line.skipSpace()
        if line.isAtEnd || line.isAtComment { continue }
        if line.take("[") {
          let header = try line.header()
          sections[header, default: [:]].merge([:]) { $1 }
          section = header
          continue
        }
        let key = try line.key()
        let value = try line.value { lines.next()?.element }
        guard let section else { throw ConfigurationError("\(key) stands before any [section]") }
        sections[section, default: [:]][key] = value
      } catch let error as ConfigurationError {
        throw ConfigurationError(error.message, line: index + 1)
      }
    }
  }
}

private struct Scanner {
  private var rest: Substring

  init(_ line: Substring) { rest = line }

  var isAtEnd: Bool { rest.isEmpty }
  var isAtComment: Bool { rest.first == "#" || rest.first == ";" }

  mutating func skipSpace() { rest = rest.drop { $0 == " " || $0 == "\t" } }

  mutating func take(_ character: Character) -> Bool {
    guard rest.first == character else { return false }
    rest = rest.dropFirst()
    return true
  }

  private mutating func word() -> String {
    let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == ".") }
    rest = rest.dropFirst(word.count)
    return word.lowercased()
  }

  /// `Global]` or `Global "name"]`.
  mutating func header() throws -> INIFile.Section {
    let malformed = ConfigurationError("a section must look like [Global] or [Global \"name\"]")
    skipSpace()
    let name = word()
    skipSpace()
    var subsection = ""
    if take("\"") {
      subsection = String(rest.prefix { $0 != "\"" })
      rest = rest.dropFirst(subsection.count)
      guard take("\"") else { throw malformed }
    }
    skipSpace()
    guard !name.isEmpty, take("]") else { throw malformed }
    skipSpace()
    guard isAtEnd || isAtComment else { throw malformed }
    return INIFile.Section(name: name, subsection: subsection)
  }

  mutating func key() throws -> String {
    let key = word()
    skipSpace()
    guard !key.isEmpty, rest.isEmpty || isAtComment || rest.first == "=" else {
      throw ConfigurationError("the line is no key = value")
    }
    return key
  }

  /// - Parameter nextLine: what a backslash at the end of the line goes on with.
  mutating func value(_ nextLine: () -> Substring?) throws -> String {
    guard take("=") else { return "true" }
    skipSpace()
    var text = ""
    var kept = ""  // without spaces at the end
    var isQuoted = false
    while true {
      guard let character = rest.popFirst() else {
        guard !isQuoted else { throw ConfigurationError("a quote is not closed") }
        return kept
      }
      switch character {
      case "\"":
        isQuoted.toggle()
        kept = text
        continue
      case "\\":
        guard let escaped = rest.popFirst() else {
          guard let next = nextLine() else { throw ConfigurationError("the file ends with a backslash") }
          rest = next
          continue
        }
        guard let plain = ["\\": "\\", "\"": "\"", "n": "\n", "t": "\t", "b": "\u{8}"][escaped] else {
          throw ConfigurationError(
            "an escape is none of \\\\ \\\" \\n \\t \\b: quote the value and double the backslash")
        }
        text += plain
      case "#" where !isQuoted, ";" where !isQuoted: return kept
      default: text.append(character)
      }
      if isQuoted || character != " " && character != "\t" { kept = text }
    }
  }
}
