import Storage

/// Which services a process serves.
package enum ServiceMode: String, Hashable, Sendable, CaseIterable {
  case controller, node, all
}

/// Who makes volumes larger: the controller with the node's help, or the node alone.
package enum Expansion: String, Hashable, Sendable, CaseIterable {
  case controller, node
}

/// How log lines look. `auto` is text on a terminal and JSON elsewhere.
package enum LogFormat: String, Hashable, Sendable, CaseIterable {
  case auto, json, text
}

/// The least level that is logged.
package enum LogLevel: String, Hashable, Sendable, CaseIterable {
  case trace, debug, info, notice, warning, error
}

/// Texts of settings to values. Each error completes the sentence "`<key>` ...".
enum Parse {
  static func choice<T: RawRepresentable & CaseIterable & Sendable>(
    _ type: T.Type
  ) -> @Sendable (String) throws -> T where T.RawValue == String {
    let choices = T.allCases.map { (name: $0.rawValue, value: $0) }
    return { text in
      guard let choice = choices.first(where: { $0.name == text }) else {
        throw ConfigurationError("must be one of \(choices.map(\.name).joined(separator: ", "))")
      }
      return choice.value
    }
  }

  static func integer(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
    { text in
      guard let value = Int(text), range.contains(value) else {
        throw ConfigurationError("must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
  }

  static func ratio(_ range: ClosedRange<Double>) -> @Sendable (String) throws -> Double {
    { text in
      guard let value = Double(text), range.contains(value) else {
        throw ConfigurationError("must be a number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
  }

  static func bool(_ text: String) throws -> Bool {
    switch text {
    case "true": true
    case "false": false
    default: throw ConfigurationError("must be true or false")
    }
  }

  static func size(_ text: String) throws -> ByteCount {
    guard let size = ByteCount(parsing: text), size > .zero else {
      throw ConfigurationError("must be a size such as 10GiB, 512MiB or a number of bytes")
    }
    return size
  }

  /// Permission bits in octal: `0660`, `660`, `0o660`.
  static func mode(_ text: String) throws -> UInt32 {
    let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
    guard let bits = UInt32(digits, radix: 8), bits <= 0o777, bits & 0o600 == 0o600 else {
      throw ConfigurationError("must be octal permission bits that let the owner read and write, such as 0660")
    }
    return bits
  }

  static func absolutePath(_ text: String) throws -> String {
    guard text.hasPrefix("/"), text.utf8.count < 4096, !text.utf8.contains(0),
      !text.split(separator: "/").contains("..")
    else { throw ConfigurationError("must be an absolute path without \"..\"") }
    return text
  }

  static func nodeID(_ text: String) throws -> String {
    guard !text.isEmpty, text.utf8.count <= 256, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw ConfigurationError("must be 1 to 256 bytes without control characters")
    }
    return text
  }

  /// CSI spec, GetPluginInfoResponse.name: domain name notation of at most 63 characters; it also becomes the prefix
  /// of topology keys and a Kubernetes object name, hence lower case.
  static func driverName(_ text: String) throws -> String {
    let message = "must be lower-case letters, digits, '-' and '.', from a letter to a letter, at most 63"
    guard (1...63).contains(text.utf8.count), let first = text.utf8.first, let last = text.utf8.last,
      isLetter(first), isLetter(last),
      text.utf8.allSatisfy({
        isLetter($0) || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
          || $0 == UInt8(ascii: ".")
      }), !text.contains("..")
    else { throw ConfigurationError(message) }
    return text
  }

  /// `host:port`, `[v6]:port` or `:port`; port 0 lets the system choose.
  static func hostPort(_ text: String) throws -> String {
    let error = ConfigurationError("must be host:port, [address]:port or :port")
    guard let colon = text.lastIndex(of: ":"), UInt16(text[text.index(after: colon)...]) != nil else { throw error }
    let host = text[..<colon]
    guard host.hasPrefix("[") ? host.hasSuffix("]") : !host.contains(":") else { throw error }
    return text
  }

  static func backendName(_ text: String) throws -> BackendName {
    do { return try BackendName(validating: text) } catch {
      throw ConfigurationError("must be a lower-case letter, then up to 31 lower-case letters, digits or '-'")
    }
  }

  /// A volume group or a logical volume (lvm(8), "Valid names").
  static func lvmName(_ text: String) throws -> String {
    guard (1...127).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "-"), text != ".", text != "..",
      text.utf8.allSatisfy({ isAlphanumeric($0) || "_+.-".utf8.contains($0) })
    else { throw ConfigurationError("must be a name of LVM: letters, digits and _ + . - (not first), at most 127") }
    return text
  }

  /// 32 letters and digits in groups of 6-4-4-4-4-4-6, as `vgs -o vg_uuid` prints them.
  static func lvmUUID(_ text: String) throws -> String {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.map(\.count) == [6, 4, 4, 4, 4, 4, 6], parts.joined().allSatisfy(isAlphanumeric) else {
      throw ConfigurationError("must be a uuid as \"vgs -o vg_uuid\" prints it")
    }
    return text
  }

  /// A device class: the value of a storage class's parameter.
  static func className(_ text: String) throws -> String {
    guard (1...63).contains(text.utf8.count), let first = text.utf8.first, isAlphanumeric(first),
      text.utf8.allSatisfy({ isAlphanumeric($0) || "_.-".utf8.contains($0) })
    else {
      throw ConfigurationError("must be letters, digits and _ . -, a letter or digit first, at most 63")
    }
    return text
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLetter(byte | 0x20) && byte >= 0x41 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }

  private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }
}
