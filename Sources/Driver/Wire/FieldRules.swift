import Storage

/// The rules that hold for every field of every request (CSI spec, Size Limits and Required Fields).
enum FieldRules {
  /// A required string.
  static func required(_ value: String, _ field: String, limit: Int = 128) throws -> String {
    guard !value.isEmpty else { throw StorageError.invalid("\(field) is required") }
    return try optional(value, field, limit: limit)
  }

  /// - Parameter limit: in bytes.
  static func optional(_ value: String, _ field: String, limit: Int = 128) throws -> String {
    guard value.utf8.count <= limit else { throw StorageError.invalid("\(field) has more than \(limit) bytes") }
    return value
  }

  /// A name that the CO invents: any Unicode but control characters.
  static func name(_ value: String, _ field: String = "name") throws -> String {
    let name = try required(value, field)
    guard name.unicodeScalars.allSatisfy({ !isForbidden($0.value) }) else {
      throw StorageError.invalid("\(field) holds a control character")
    }
    return name
  }

  /// A map of at most 4 KiB.
  static func map(_ value: [String: String], _ field: String) throws -> [String: String] {
    var total = 0
    for (key, text) in value where key != serviceAccountTokens { total += key.utf8.count + text.utf8.count }
    guard total <= 4096 else { throw StorageError.invalid("\(field) has more than 4096 bytes") }
    return value
  }

  /// Page size: 0 means no limit.
  static func maxEntries(_ value: Int32) throws -> Int {
    guard value >= 0 else { throw StorageError.invalid("max_entries must not be negative") }
    return value == 0 ? .max : Int(value)
  }

  /// An absolute path as the CO writes it; what it leads to is checked where it is used.
  static func path(_ value: String, _ field: String) throws -> String {
    try required(value, field, limit: 4095)
  }

  /// Tokens of several audiences pass 4 KiB; the kubelet puts them into volume_context all the same.
  private static let serviceAccountTokens = "csi.storage.k8s.io/serviceAccount.tokens"

  private static func isForbidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x00...0x08, 0x0B, 0x0C, 0x0E...0x1F, 0x7F...0x9F: true
    default: false
    }
  }
}

extension FilesystemType {
  /// - Parameter name: fs_type of a request; empty leaves the choice to the driver.
  static func parsing(_ name: String) throws -> FilesystemType? {
    guard !name.isEmpty else { return nil }
    guard let type = FilesystemType(rawValue: name) else {
      throw StorageError.invalid("fs_type must be one of \(allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return type
  }
}

extension ByteCount {
  /// A Kubernetes quantity in whole bytes: `1073741824`, `1Gi`, `500M`.
  /// - Throws: `.invalid` for anything else.
  static func parsing(quantity text: String, _ field: String) throws -> ByteCount {
    let digits = text.utf8.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    let unit: Int64? =
      switch String(Substring(text.utf8.dropFirst(digits.count))) {
      case "": 1
      case "k": 1000
      case "M": 1_000_000
      case "G": 1_000_000_000
      case "T": 1_000_000_000_000
      case "Ki": 1 << 10
      case "Mi": 1 << 20
      case "Gi": 1 << 30
      case "Ti": 1 << 40
      default: nil
      }
    guard let unit, let number = Int64(Substring(digits)), number > 0 else {
      throw StorageError.invalid("\(field) must be a size such as 1073741824, 500Mi or 1Gi")
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { throw StorageError.invalid("\(field) is too large") }
    return ByteCount(bytes)
  }
}
