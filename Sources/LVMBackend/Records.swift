import Storage

/// A volume as its logical volume's tags tell it.
struct VolumeRecord: Hashable, Sendable {
  /// How far the making or the deletion has come.
  enum State: String, Hashable, Sendable {
    /// Not given out yet: it must be wiped first.
    case new
    case ready
    /// Deleted for the CO; its bytes are being overwritten.
    case deleted = "del"
  }

  let path: LVPath
  /// Its own id: the node is the one that it was made on, which may have had another name than this one.
  let id: NativeID
  /// The CO's name for it.
  let name: String
  /// Of the logical volume.
  var size: ByteCount
  /// The size that it was made to have. A copy is of its source's size at first.
  let wantedSize: ByteCount
  /// As far as a thick volume's growth is fit to be seen; nil: all of it.
  var wipedSize: ByteCount?
  /// The device class at creation.
  let deviceClass: String
  let content: VolumeContent
  var format: FormatState
  let encryption: VolumeEncryption?
  let parameters: [String: String]
  var mutableParameters: [String: String]
  var source: ContentSource?
  let isEphemeral: Bool
  var state: State
  var attachment: LocalAttachment?

  /// Only a complete volume exists for the CO.
  var isComplete: Bool { state == .ready && size >= wantedSize }
  /// What the CO is told.
  var capacity: ByteCount { min(size, wipedSize ?? size) }
}

/// A snapshot as its logical volume's tags tell it.
struct SnapshotRecord: Hashable, Sendable {
  /// The group that a snapshot was cut with.
  struct Group: Hashable, Sendable {
    let id: NativeID
    let name: String
    /// How many members the group has, so that a missing one shows.
    let members: Int
    /// Told by one member: all of them were cut at one moment.
    var isCut = false
  }

  let path: LVPath
  let id: NativeID
  /// The CO's name for it; empty for members of groups.
  let name: String
  let source: NativeID
  /// The uuid of the source's logical volume: a later volume of the same name is another one.
  let sourceUUID: String
  let size: ByteCount
  let created: Timestamp
  let deviceClass: String
  let content: VolumeContent
  let format: FormatState
  let encryption: VolumeEncryption?
  let group: Group?

  var snapshot: Snapshot {
    Snapshot(id: id, name: name, source: source, size: size, created: created, isReady: true, group: group?.id)
  }
}

/// Whose bytes a copy begins with.
struct Origin: Hashable, Sendable {
  let path: LVPath
  let size: ByteCount
  /// The class that its thin pool belongs to.
  let deviceClass: String
  let content: VolumeContent
  let format: FormatState
  let encryption: VolumeEncryption?

  init(_ record: VolumeRecord) {
    self.init(
      path: record.path, size: record.capacity, deviceClass: record.deviceClass, content: record.content,
      format: record.format, encryption: record.encryption)
  }

  init(_ record: SnapshotRecord) {
    self.init(
      path: record.path, size: record.size, deviceClass: record.deviceClass, content: record.content,
      format: record.format, encryption: record.encryption)
  }

  private init(
    path: LVPath, size: ByteCount, deviceClass: String, content: VolumeContent, format: FormatState,
    encryption: VolumeEncryption?
  ) {
    self.path = path
    self.size = size
    self.deviceClass = deviceClass
    self.content = content
    self.format = format
    self.encryption = encryption
  }
}

extension VolumeRecord {
  private static let keys: Set = [
    "n", "node", "size", "wiped", "cls", "c", "f", "enc", "p", "m", "src", "eph", "st", "at",
  ]

  /// - Returns: nil when the logical volume is no volume of this backend's.
  /// - Throws: as `TagReader.init`.
  init?(_ volume: LogicalVolume, at path: LVPath, owner: BackendName) throws {
    guard Naming.kind(of: volume.name) == .volume,
      let tags = try TagReader(volume.tags, of: path, owner: owner, known: Self.keys)
    else { return nil }
    let node = NodeID(try tags.text("node"))
    self.init(
      path: path, id: LocalID(.volume, name: volume.name, node: node).id, name: try tags.text("n"), size: volume.size,
      wantedSize: try tags.size("size"), wipedSize: tags.has("wiped") ? try tags.size("wiped") : nil,
      deviceClass: try tags.text("cls"), content: try tags.content(), format: try tags.format(),
      encryption: try tags.encryption(), parameters: try tags.map("p"), mutableParameters: try tags.map("m"),
      source: try tags.readIfPresent("src", ContentSource.init(tag:)),
      isEphemeral: try tags.readIfPresent("eph") { $0 == "1" ? true : nil } ?? false,
      state: try tags.read("st") { State(rawValue: String($0)) },
      attachment: try tags.readIfPresent("at", LocalAttachment.init(tag:)))
  }

  func tags(owner: BackendName) -> Set<String> {
    var tags = TagWriter(owner: owner)
    tags.write("n", text: name)
    tags.write("node", text: LocalID(parsing: id)?.node.rawValue ?? "")
    tags.write("size", String(wantedSize.bytes))
    if let wipedSize { tags.write("wiped", String(wipedSize.bytes)) }
    tags.write("cls", text: deviceClass)
    tags.write("c", content.tag)
    tags.write("f", format.tag)
    if let encryption { tags.write("enc", encryption.rawValue) }
    tags.write("p", map: parameters)
    tags.write("m", map: mutableParameters)
    if let source { tags.write("src", source.tag) }
    if isEphemeral { tags.write("eph", "1") }
    tags.write("st", state.rawValue)
    if let attachment { tags.write("at", attachment.tag) }
    return tags.tags
  }
}

extension SnapshotRecord {
  /// Says that the group is complete; set last.
  static let cutTag = "csi.gd=1"
  /// What all members of a group have.
  static func tag(ofGroup id: NativeID) -> String { "csi.g=\(TagText.escaped(id.rawValue))" }
  private static let keys: Set = ["n", "node", "of", "ou", "t", "cls", "c", "f", "enc", "g", "gn", "gc", "gd"]

  /// - Returns: nil when the logical volume is no snapshot of this backend's.
  /// - Throws: as `TagReader.init`.
  init?(_ volume: LogicalVolume, at path: LVPath, owner: BackendName) throws {
    guard Naming.kind(of: volume.name) == .snapshot,
      let tags = try TagReader(volume.tags, of: path, owner: owner, known: Self.keys)
    else { return nil }
    let node = NodeID(try tags.text("node"))
    let group =
      tags.has("g")
      ? Group(
        id: NativeID(try tags.text("g")), name: try tags.text("gn"),
        members: try tags.read("gc") { Int($0).flatMap { $0 > 0 ? $0 : nil } }, isCut: tags.has("gd"))
      : nil
    self.init(
      path: path, id: LocalID(.snapshot, name: volume.name, node: node).id, name: try tags.text("n"),
      source: NativeID(try tags.text("of")), sourceUUID: try tags.text("ou"), size: volume.size,
      created: try tags.read("t", Timestamp.init(tag:)),
      deviceClass: try tags.text("cls"), content: try tags.content(), format: try tags.format(),
      encryption: try tags.encryption(), group: group)
  }

  func tags(owner: BackendName) -> Set<String> {
    var tags = TagWriter(owner: owner)
    tags.write("n", text: name)
    tags.write("node", text: LocalID(parsing: id)?.node.rawValue ?? "")
    tags.write("of", text: source.rawValue)
    tags.write("ou", text: sourceUUID)
    tags.write("t", created.tag)
    tags.write("cls", text: deviceClass)
    tags.write("c", content.tag)
    tags.write("f", format.tag)
    if let encryption { tags.write("enc", encryption.rawValue) }
    if let group {
      tags.insert(Self.tag(ofGroup: group.id))
      tags.write("gn", text: group.name)
      tags.write("gc", String(group.members))
      if group.isCut { tags.insert(Self.cutTag) }
    }
    return tags.tags
  }
}

extension ContentSource {
  fileprivate init?(tag: Substring) {
    guard let fields = TagText.list(tag), fields.count == 2 else { return nil }
    switch fields[0] {
    case "v": self = .volume(NativeID(fields[1]))
    case "s": self = .snapshot(NativeID(fields[1]))
    default: return nil
    }
  }

  fileprivate var tag: String {
    switch self {
    case .volume(let id): TagText.escaped(["v", id.rawValue])
    case .snapshot(let id): TagText.escaped(["s", id.rawValue])
    }
  }
}

extension Timestamp {
  fileprivate init?(tag: Substring) {
    let parts = tag.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let seconds = Int64(parts[0]), let nanoseconds = Int32(parts[1]),
      0..<1_000_000_000 ~= nanoseconds
    else { return nil }
    self.init(seconds: seconds, nanoseconds: nanoseconds)
  }

  fileprivate var tag: String { "\(seconds).\(nanoseconds)" }
}

extension LocalAttachment {
  fileprivate init?(tag: Substring) {
    guard let fields = TagText.list(tag), fields.count == 3, ["ro", "rw"].contains(fields[2]) else { return nil }
    self.init(node: NodeID(fields[0]), capability: fields[1], readOnly: fields[2] == "ro")
  }

  fileprivate var tag: String { TagText.escaped([node.rawValue, capability, readOnly ? "ro" : "rw"]) }
}
