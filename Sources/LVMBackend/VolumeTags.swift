import Storage

/// The tags of a logical volume of ours, by key: `csi.<key>=<value>`.
struct TagReader {
  /// The layout of tags that this code reads and writes.
  static let version = "1"

  private var values: [String: Substring] = [:]
  private let subject: String

  /// - Returns: nil when the tags say that the logical volume belongs to another driver.
  /// - Throws: `.dataLoss` when the tags do not hold what they must: the logical volume is ours by its name, so it is
  ///   told of rather than taken for absent. `.failed` when another version of this program wrote them.
  init?(_ tags: Set<String>, of path: LVPath, owner: BackendName, known: Set<String>) throws {
    subject = path.description
    for tag in tags where tag.hasPrefix("csi.") {
      guard let equals = tag.firstIndex(of: "=") else { throw damaged(tag) }
      let key = String(tag[tag.index(tag.startIndex, offsetBy: 4)..<equals])
      guard values.updateValue(tag[tag.index(after: equals)...], forKey: key) == nil else { throw damaged(key) }
    }
    guard let driver = values["drv"] else { throw damaged("drv") }
    guard driver == TagText.escaped(owner.rawValue) else { return nil }
    guard let version = values["v"] else { throw damaged("v") }
    guard version == Self.version else {
      throw StorageError.failed(
        "\(subject) has tags of version \(version.prefix(16)), which this program does not know; it is left alone")
    }
    if let unknown = values.keys.first(where: { !known.contains($0) && $0 != "v" && $0 != "drv" }) {
      throw damaged(unknown)
    }
  }

  func damaged(_ key: String) -> StorageError {
    .dataLoss("the tags of \(subject) are damaged (csi.\(key.prefix(32)))")
  }

  func has(_ key: String) -> Bool { values[key] != nil }

  func read<T>(_ key: String, _ parse: (Substring) -> T?) throws -> T {
    guard let value = values[key], let parsed = parse(value) else { throw damaged(key) }
    return parsed
  }

  /// nil when there is no such tag.
  func readIfPresent<T>(_ key: String, _ parse: (Substring) -> T?) throws -> T? {
    try has(key) ? read(key, parse) : nil
  }

  func text(_ key: String) throws -> String { try read(key, TagText.plain) }

  func size(_ key: String) throws -> ByteCount {
    try read(key) { Int64($0).flatMap { $0 > 0 ? ByteCount($0) : nil } }
  }

  func map(_ key: String) throws -> [String: String] { try readIfPresent(key, TagText.map) ?? [:] }
  func content() throws -> VolumeContent { try read("c", VolumeContent.init(tag:)) }
  func format() throws -> FormatState { try read("f", FormatState.init(tag:)) }
  func encryption() throws -> VolumeEncryption? {
    try readIfPresent("enc") { VolumeEncryption(rawValue: String($0)) }
  }
}

/// The tags to be, each within LVM's limits as long as what they are made of is.
struct TagWriter {
  /// What all volumes and snapshots of a backend have.
  static func ownerTag(_ owner: BackendName) -> String { "csi.drv=\(TagText.escaped(owner.rawValue))" }

  private(set) var tags: Set<String>

  init(owner: BackendName) {
    tags = ["csi.v=\(TagReader.version)", Self.ownerTag(owner)]
  }

  /// `value` is escaped already.
  mutating func write(_ key: String, _ value: String) { tags.insert("csi.\(key)=\(value)") }
  mutating func insert(_ tag: String) { tags.insert(tag) }
  mutating func write(_ key: String, text: String) { write(key, TagText.escaped(text)) }
  mutating func write(_ key: String, map: [String: String]) {
    if !map.isEmpty { write(key, TagText.escaped(map)) }
  }
}

extension VolumeContent {
  init?(tag: Substring) {
    if tag == "block" {
      self = .block
    } else if let type = FilesystemType(rawValue: String(tag)) {
      self = .filesystem(type)
    } else {
      return nil
    }
  }

  var tag: String {
    switch self {
    case .block: "block"
    case .filesystem(let type): type.rawValue
    }
  }
}

extension FormatState {
  init?(tag: Substring) {
    let parts = tag.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let type = parts.count == 2 ? FilesystemType(rawValue: parts[1]) : nil
    switch (parts.first, parts.count, type) {
    case ("unformatted", 1, _): self = .unformatted
    case ("encrypting", 1, _): self = .encrypting
    case ("formatting", 2, let type?): self = .formatting(type)
    case ("formatted", 1, _): self = .formatted
    case ("copied", 2, let type?): self = .copied(type)
    case ("unrecorded", 1, _): self = .unrecorded
    default: return nil
    }
  }

  var tag: String {
    switch self {
    case .unformatted: "unformatted"
    case .encrypting: "encrypting"
    case .formatting(let type): "formatting:\(type.rawValue)"
    case .formatted: "formatted"
    case .copied(let type): "copied:\(type.rawValue)"
    case .unrecorded: "unrecorded"
    }
  }
}
