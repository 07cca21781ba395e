import Storage

/// How any text fits into an LVM tag, which takes `[A-Za-z0-9_+.-/=!:&#]` and at most 1024 bytes (lvm(8)).
enum TagText {
  static let limit = 1024

  /// Letters, digits and `_+.-/` as they are, every other byte as `=HH`.
  static func escaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isPlain(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// nil for what `escaped` never writes.
  static func plain(_ escaped: some StringProtocol) -> String? {
    var bytes: [UInt8] = []
    var rest = Substring(escaped).utf8
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "=") {
        guard let high = rest.popFirst().flatMap(digits.firstIndex),
          let low = rest.popFirst().flatMap(digits.firstIndex)
        else { return nil }
        bytes.append(UInt8(high << 4 | low))
      } else {
        guard isPlain(byte) else { return nil }
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// `key:value&key:value`, keys ascending; empty for none.
  static func escaped(_ map: [String: String]) -> String {
    map.sorted { $0.key < $1.key }.map { "\(escaped($0.key)):\(escaped($0.value))" }.joined(separator: "&")
  }

  static func map(_ text: Substring) -> [String: String]? {
    var map: [String: String] = [:]
    for pair in text.split(separator: "&") {
      guard let fields = list(pair), fields.count == 2, map.updateValue(fields[1], forKey: fields[0]) == nil else {
        return nil
      }
    }
    return map
  }

  /// Texts parted by colons.
  static func escaped(_ list: [String]) -> String { list.map(escaped).joined(separator: ":") }

  static func list(_ text: Substring) -> [String]? {
    var list: [String] = []
    for part in text.split(separator: ":", omittingEmptySubsequences: false) {
      guard let part = plain(part) else { return nil }
      list.append(part)
    }
    return list
  }

  private static let digits = Array("0123456789ABCDEF".utf8)

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: "_+.-/".utf8.contains(byte)
    }
  }
}
