/// Limits as mutable parameters (a VolumeAttributesClass of Kubernetes, `mutable_parameters` of CSI).
///
/// Keys: `iops-read`, `iops-write`: whole operations a second; `bps-read`, `bps-write`: bytes a second, also as `10Mi`
/// or `10MiB`. The value `max` takes a limit away.
extension IOLimits {
  /// Takes a limit away; the word that `io.max` has for it.
  package static let unlimited = "max"

  private static let fields: [(key: String, field: any WritableKeyPath<IOLimits, Int64?> & Sendable)] = [
    ("iops-read", \.readOperations), ("iops-write", \.writeOperations), ("bps-read", \.readBytes),
    ("bps-write", \.writeBytes),
  ]

  /// Checks what a caller asks for and spells every value as a whole number or `max`.
  /// - Throws: `.invalid` for an unknown key or a value that is not positive.
  package static func canonical(mutableParameters: [String: String]) throws -> [String: String] {
    var canonical: [String: String] = [:]
    for (key, text) in mutableParameters {
      canonical[key] = try value(of: key, text).map(String.init) ?? unlimited
    }
    return canonical
  }

  /// What a volume has after `changes` to what it had, both canonical: keys left out keep their values, and what has no
  /// limit is not written down.
  package static func merging(_ changes: [String: String], into present: [String: String]) -> [String: String] {
    present.merging(changes) { _, new in new }.filter { $0.value != unlimited }
  }

  /// - Throws: as `canonical(mutableParameters:)`.
  package init(mutableParameters: [String: String]) throws {
    self.init()
    for (key, text) in mutableParameters {
      guard let entry = Self.fields.first(where: { $0.key == key }) else { throw Self.unknown(key) }
      self[keyPath: entry.field] = try Self.value(of: key, text)
    }
  }

  /// The limits that there are, in canonical spelling.
  package var mutableParameters: [String: String] {
    Self.fields.reduce(into: [:]) { result, entry in
      result[entry.key] = self[keyPath: entry.field].map(String.init)
    }
  }

  /// nil: no limit.
  private static func value(of key: String, _ text: String) throws -> Int64? {
    guard fields.contains(where: { $0.key == key }) else { throw unknown(key) }
    if text == unlimited { return nil }
    let isBytes = key.hasPrefix("bps-")
    let isPlain = text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    let number = isPlain ? Int64(text) : isBytes && hasBinaryUnit(text) ? ByteCount(parsing: text)?.bytes : nil
    // The kernel counts operations in 32 bits and takes the largest number for none.
    guard let number, number > 0, isBytes || number < UInt32.max else {
      throw StorageError.invalid(
        "\(key) must be \(isBytes ? "a number of bytes a second such as 10Mi" : "a positive whole number") or max")
    }
    return number
  }

  /// Decimal units are refused: a limit is nothing to guess about.
  private static func hasBinaryUnit(_ text: String) -> Bool {
    ["Ki", "Mi", "Gi", "Ti"].contains { text.hasSuffix($0) || text.hasSuffix($0 + "B") } && !text.contains(" ")
  }

  private static func unknown(_ key: String) -> StorageError {
    .invalid("unknown mutable parameter '\(key.prefix(64))'; known are \(fields.map(\.key).joined(separator: ", "))")
  }
}
