internal import CCSI

/// A message of the CSI protocol as a Swift value. Everything generated in `Generated` conforms.
///
/// Every rendering (`description`, `dump`, interpolation) is redacted; see `json(redacting:)`.
package protocol CSIMessage: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  /// Name inside the package `csi.v1`, for example `VolumeCapability.AccessMode`.
  static var messageName: String { get }

  /// A message with every field at its default.
  init()

  /// Reads the protobuf form; fields that are not known are skipped.
  /// Throws `CSIDecodeError` for anything malformed, and for text that is not UTF-8 or holds a NUL.
  /// (Of a message field that comes in several parts, which no encoder writes, protobuf-c merges all but the numbers:
  /// those of the last part count.)
  init(serialized bytes: UnsafeRawBufferPointer) throws

  /// Writes the protobuf form. `allocate` is called once with the exact number of bytes; its buffer is filled.
  /// Equal values give equal bytes (maps are written in the order of their keys).
  /// Throws `CSIEncodeError` when a text holds a NUL, and what `allocate` throws.
  func serialize(_ allocate: (Int) throws -> UnsafeMutableRawBufferPointer) throws

  /// Reads the JSON mapping of proto3: keys in snake_case or lowerCamelCase, 64-bit numbers as number or string, enums
  /// by name or number, wrappers as bare values. Unknown keys are refused. Throws `JSONError` with the path.
  init(json: JSON) throws(JSONError)

  /// The JSON mapping of proto3 with keys in snake_case, defaults left out, 64-bit integers as numbers.
  ///
  /// Secrets are stripped always. With `redacting`, which is for logs, so are mount flags and the service account
  /// tokens in maps.
  func json(redacting: Bool) -> JSON
}

extension CSIMessage {
  /// `json(redacting: false)`: for output to the user. Secrets are stripped.
  package var json: JSON { json(redacting: false) }

  /// One line of redacted JSON.
  package var description: String { json(redacting: true).text }

  /// Shows the redacted JSON in place of the fields.
  package var customMirror: Mirror { Mirror(self, children: [(label: nil, value: description)]) }

  /// Reads the protobuf form; throws as `init(serialized:)` of a buffer does.
  package init(serialized bytes: [UInt8]) throws {
    self = try bytes.withUnsafeBytes { try Self(serialized: $0) }
  }

  /// The protobuf form. Throws as `serialize` does.
  package func serialized() throws -> [UInt8] {
    // The buffer is made by hand because `Array(unsafeUninitializedCapacity:)` wants the size first.
    var out = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    defer { out.deallocate() }
    try serialize { size in
      out = .allocate(byteCount: size, alignment: 1)
      return out
    }
    return Array(out)
  }
}

/// An enum of the CSI protocol. A number that is not known survives as `unrecognized`.
package protocol CSIEnum: Hashable, Sendable, CustomStringConvertible, CaseIterable {
  /// Cases with a name, in the order of their numbers.
  static var allCases: [Self] { get }
  init(rawValue: Int32)
  /// The number on the wire.
  var rawValue: Int32 { get }
  /// The name in the protocol, such as `SINGLE_NODE_WRITER`; the number when it is not known.
  var name: String { get }
}

extension CSIEnum {
  /// The case with this protocol name.
  package init?(name: String) {
    guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  package var description: String { name }
}

/// Why bytes are not a message.
package enum CSIDecodeError: Error, Hashable, CustomStringConvertible {
  /// Not protobuf, cut off, or a field of another type than the protocol says.
  case malformed(message: String)
  /// Text that is not UTF-8.
  case invalidUTF8(field: String)
  /// Text with a NUL, which no system call would see whole.
  case embeddedNUL(field: String)

  package var description: String {
    switch self {
    case .malformed(let message): "malformed \(message)"
    case .invalidUTF8(let field): "\(field) is not valid UTF-8"
    case .embeddedNUL(let field): "\(field) holds a NUL character"
    }
  }
}

/// Why a message cannot be written.
package enum CSIEncodeError: Error, Hashable, CustomStringConvertible {
  /// Text with a NUL: protobuf-c takes C strings.
  case embeddedNUL(message: String)
  /// Memory is exhausted.
  case outOfMemory(message: String)

  package var description: String {
    switch self {
    case .embeddedNUL(let message): "a text in \(message) holds a NUL character"
    case .outOfMemory(let message): "no memory for \(message)"
    }
  }
}
