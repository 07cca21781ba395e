import CLinux
import Storage

/// How native ids follow from the CO's names, so that existence alone is the record of a name.
enum Identifier {
  private static let derivedPrefix = "u5-"
  /// Keeps our version 5 UUIDs apart from everybody else's (RFC 4122, section 4.3).
  private static let space: [UInt8] = [
    0x6c, 0x1f, 0x0e, 0x2a, 0x5d, 0x37, 0x4b, 0x90, 0x9a, 0x43, 0x1e, 0x88, 0x57, 0xd2, 0x0b, 0xc4,
  ]

  /// The id of whatever the CO calls `name`: the name itself where it makes a harmless path element, else a UUID of it.
  static func derived(from name: String) -> NativeID {
    isPlain(name) ? NativeID(name) : NativeID(derivedPrefix + uuid(of: name))
  }

  /// The id of a group's snapshot of `source`. Names hold no NUL, so no snapshot of its own gets this id.
  static func member(ofGroup name: String, source: NativeID) -> NativeID {
    NativeID(derivedPrefix + uuid(of: name + "\0" + source.rawValue))
  }

  /// `[A-Za-z0-9][A-Za-z0-9._-]{0,79}`, but not what derived ids look like.
  private static func isPlain(_ name: String) -> Bool {
    guard let first = name.utf8.first, isAlphanumeric(first), name.utf8.count <= 80 else { return false }
    return !name.hasPrefix(derivedPrefix) && name.utf8.allSatisfy { isAlphanumeric($0) || ".-_".utf8.contains($0) }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }

  private static func uuid(of name: String) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    let utf8 = Array(name.utf8)
    utf8.withUnsafeBytes { cl_uuid_sha1(&bytes, space, $0.bindMemory(to: CChar.self).baseAddress, utf8.count) }
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
    }
    return text
  }
}
