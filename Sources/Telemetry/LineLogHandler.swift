import Glibc
import Logging

/// A swift-log backend that writes one line an event with one write(2), so that lines of several threads and processes
/// never mix. JSON with snake_case keys for machines, aligned text for people.
package struct LineLogHandler: LogHandler {
  package enum Format: Sendable { case json, text }

  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?
  package var logLevel: Logger.Level
  private let label: String
  private let format: Format
  private let descriptor: Int32

  /// - Parameter descriptor: an open file, stderr by default; it stays the caller's.
  package init(label: String, format: Format, level: Logger.Level, descriptor: Int32 = STDERR_FILENO) {
    self.label = label
    self.format = format
    logLevel = level
    self.descriptor = descriptor
  }

  /// Text on a terminal, JSON elsewhere.
  package static func format(for descriptor: Int32) -> Format { isatty(descriptor) == 1 ? .text : .json }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
    if let own = event.metadata { merged.merge(own) { $1 } }
    let line = LogLine(
      time: RFC3339.now(), level: event.level, label: label, message: event.message.description,
      fields: merged.sorted { $0.key < $1.key })
    write(format == .json ? line.json : line.text)
  }

  /// A log that cannot be written is nobody's error: what is left of the line is dropped.
  private func write(_ line: String) {
    var line = line
    line.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      var attempts = 0
      while !rest.isEmpty, attempts < 100 {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } else if count < 0, errno == EAGAIN {
          var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&ready, 1, 10)
        } else if count < 0, errno != EINTR {
          return
        }
        attempts += 1
      }
    }
  }
}

/// A log event ready to be written.
package struct LogLine {
  package var time: String
  package var level: Logger.Level
  package var label: String
  package var message: String
  package var fields: [(key: String, value: Logger.MetadataValue)]

  private static let reserved: Set<String> = ["time", "level", "logger", "message"]

  /// `{"time":"...","level":"info","logger":"stowage","message":"...","volume_id":"v1"}` and a newline. A field that
  /// would hide one of the first four gets a '_' in front.
  package var json: String {
    var out = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":"
    JSONText.append(label, to: &out)
    out += ",\"message\":"
    JSONText.append(message, to: &out)
    for (key, value) in fields {
      out += ","
      JSONText.append(Self.reserved.contains(key) ? "_" + key : key, to: &out)
      out += ":"
      Self.append(value, to: &out)
    }
    out += "}\n"
    return out
  }

  /// `11:09:04.123 INFO    volume created  volume_id=v1` and a newline; control characters are escaped, so that no
  /// name can forge a line or command the terminal.
  package var text: String {
    let name = level.rawValue.uppercased()
    var out = String(time.dropFirst(11).prefix(12))
    out += " " + name + String(repeating: " ", count: max(1, 9 - name.utf8.count))
    Self.appendPrintable(message, to: &out)
    for (index, field) in fields.enumerated() {
      out += index == 0 ? "  " : " "
      Self.appendPrintable(field.key, to: &out)
      out += "="
      let value = "\(field.value)"
      if value.isEmpty || value.contains(where: { $0 == " " || $0 == "\"" }) {
        JSONText.append(value, to: &out)
      } else {
        Self.appendPrintable(value, to: &out)
      }
    }
    out += "\n"
    return out
  }

  private static func append(_ value: Logger.MetadataValue, to out: inout String) {
    switch value {
    case .string(let text): JSONText.append(text, to: &out)
    case .stringConvertible(let value): append(convertible: value, to: &out)
    case .array(let items):
      out += "["
      for (index, item) in items.enumerated() {
        if index > 0 { out += "," }
        append(item, to: &out)
      }
      out += "]"
    case .dictionary(let members):
      out += "{"
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { out += "," }
        JSONText.append(member.key, to: &out)
        out += ":"
        append(member.value, to: &out)
      }
      out += "}"
    }
  }

  /// Numbers and truth values stay what they are.
  private static func append(convertible value: any CustomStringConvertible & Sendable, to out: inout String) {
    switch value {
    case let value as any FixedWidthInteger & CustomStringConvertible: out += value.description
    case let value as Double where value.isFinite: out += value.description
    case let value as Bool: out += value ? "true" : "false"
    default: JSONText.append(value.description, to: &out)
    }
  }

  private static func appendPrintable(_ text: String, to out: inout String) {
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
        out += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
  }
}

/// The text form of JSON strings (RFC 8259, section 7).
enum JSONText {
  static func append(_ text: String, to out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.utf8.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}
