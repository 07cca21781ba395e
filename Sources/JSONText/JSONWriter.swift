extension JSON: CustomStringConvertible {
  /// The value on one line, without spaces.
  package var text: String {
    var writer = Writer(indent: nil)
    writer.write(self, depth: 0)
    return writer.text
  }

  /// The value over many lines, indented by two spaces a level.
  package var prettyText: String {
    var writer = Writer(indent: "  ")
    writer.write(self, depth: 0)
    return writer.text
  }

  package var description: String { text }
}

private struct Writer {
  let indent: String?
  var text = ""

  init(indent: String?) { self.indent = indent }

  mutating func write(_ value: JSON, depth: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    // JSON has no word for what is not finite.
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): write(value)
    case .array(let elements):
      list("[", elements, "]", depth) { writer, element in writer.write(element, depth: depth + 1) }
    case .object(let members):
      list("{", members, "}", depth) { writer, member in
        writer.write(member.key)
        writer.text += writer.indent == nil ? ":" : ": "
        writer.write(member.value, depth: depth + 1)
      }
    }
  }

  private mutating func list<T>(
    _ open: String, _ elements: [T], _ close: String, _ depth: Int, _ one: (inout Writer, T) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      breakLine(depth + 1)
      one(&self, element)
    }
    if !elements.isEmpty { breakLine(depth) }
    text += close
  }

  private mutating func breakLine(_ depth: Int) {
    guard let indent else { return }
    text += "\n" + String(repeating: indent, count: depth)
  }

  private mutating func write(_ string: String) {
    text += "\""
    defer { text += "\"" }
    let isPlain = string.utf8.allSatisfy { (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }
    guard !isPlain else { return text += string }
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // C0, DEL and C1 move cursors on a terminal; U+2028 and U+2029 end lines for some readers.
      case "\0"..<" ", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
        let hex = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: text.unicodeScalars.append(scalar)
      }
    }
  }
}
