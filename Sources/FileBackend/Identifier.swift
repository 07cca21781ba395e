import Host
import Storage

/// How native ids follow from the CO's names, so that existence alone is the record of a name.
enum Identifier {
  private static let derivedPrefix = "u5-"
  /// Keeps our version 5 UUIDs apart from everybody else's (RFC 9562, section 5.5).
  private static let space = UUID(parsing: "6c1f0e2a-5d37-4b90-9a43-1e8857d20bc4") ?? UUID.random()

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

  private static func uuid(of name: String) -> String { UUID(namespace: space, name: name).description }
}
