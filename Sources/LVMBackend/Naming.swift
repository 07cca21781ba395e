import Storage

/// What a logical volume of ours is; the beginning of its name tells it.
enum Kind: String, CaseIterable, Sendable {
  case volume = "csi_"
  case snapshot = "css_"
  /// No logical volume bears it: a group is the set of its members.
  case group = "csg_"

  var word: String {
    switch self {
    case .volume: "volume"
    case .snapshot: "snapshot"
    case .group: "group snapshot"
    }
  }
}

/// Names of logical volumes: a kind and 26 letters and digits that follow from the CO's name, so that a repeated call
/// comes to the same logical volume. No hyphens (device-mapper doubles them) and nothing that LVM reserves.
enum Naming {
  /// The name for whatever of this kind the CO calls `name`.
  static func derived(_ kind: Kind, from name: String) -> String { kind.rawValue + hash("\(kind.word)|\(name)") }

  /// The name of a group's snapshot of `source`. Names hold no NUL, so no snapshot of its own gets it.
  static func member(ofGroup name: String, source: NativeID) -> String {
    Kind.snapshot.rawValue + hash("member|\(name)\0\(source.rawValue)")
  }

  /// The kind of a name of ours; nil for every other name.
  static func kind(of name: some StringProtocol) -> Kind? {
    guard let kind = Kind.allCases.first(where: { name.hasPrefix($0.rawValue) }) else { return nil }
    let rest = name.utf8.dropFirst(kind.rawValue.utf8.count)
    return rest.count == length && rest.allSatisfy(alphabet.contains) ? kind : nil
  }

  private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
  private static let length = 26

  /// 130 bits of the text's SHA-256 in base 32 (RFC 4648, small letters).
  private static func hash(_ text: String) -> String {
    var letters: [UInt8] = []
    var value = 0
    var bits = 0
    for byte in SHA256.digest(of: text) where letters.count < length {
      value = (value << 8 | Int(byte)) & 0xffff
      bits += 8
      while bits >= 5, letters.count < length {
        bits -= 5
        letters.append(alphabet[value >> bits & 31])
      }
    }
    return String(decoding: letters, as: UTF8.self)
  }
}

/// A native id taken apart: `<logical volume>@<node that it was made on>`.
struct LocalID: Hashable, Sendable {
  let kind: Kind
  /// Of the logical volume; of none when `kind` is a group.
  let name: String
  let node: NodeID

  init(_ kind: Kind, name: String, node: NodeID) {
    self.kind = kind
    self.name = name
    self.node = node
  }

  /// nil for an id that no backend of this type ever gave out.
  init?(parsing id: NativeID) {
    let text = id.rawValue
    guard text.utf8.count <= 160, let at = text.firstIndex(of: "@"), let kind = Naming.kind(of: text[..<at]) else {
      return nil
    }
    let node = text[text.index(after: at)...]
    guard !node.isEmpty else { return nil }
    self.init(kind, name: String(text[..<at]), node: NodeID(String(node)))
  }

  /// The same, when it is of this kind.
  init?(parsing id: NativeID, as kind: Kind) {
    self.init(parsing: id)
    guard self.kind == kind else { return nil }
  }

  var id: NativeID { NativeID("\(name)@\(node)") }
}
