import JSONText
import Storage

/// The layout of metadata files that this code reads and writes.
private let currentVersion: Int64 = 1

/// What `volume.json` holds.
struct VolumeRecord: Hashable, Sendable {
  let id: NativeID
  let name: String
  var capacity: ByteCount
  let content: VolumeContent
  var format: FormatState
  let parameters: [String: String]
  let source: ContentSource?
  let isEphemeral: Bool
  var attachment: LocalAttachment?
  /// Mutable parameters, canonical; records of earlier versions have none.
  var mutable: [String: String] = [:]
}

/// What `snapshot.json` holds.
struct SnapshotRecord: Hashable, Sendable {
  let id: NativeID
  let name: String
  let source: NativeID
  let size: ByteCount
  let created: Timestamp
  let content: VolumeContent
  let format: FormatState
  let encryption: VolumeEncryption?
  let group: NativeID?

  var snapshot: Snapshot {
    Snapshot(id: id, name: name, source: source, size: size, created: created, isReady: true, group: group)
  }
}

/// What `group.json` holds; the members are directories beside it.
struct GroupRecord: Hashable, Sendable {
  let id: NativeID
  let name: String
  let created: Timestamp
  /// In the order of the request.
  let members: [NativeID]
}

/// A metadata file was written by another layout; nothing of it may be touched.
struct UnknownVersion: Error { let version: Int64 }
/// A metadata file does not hold what it must.
struct Damaged: Error { let field: String }

private struct Reader {
  let json: JSON

  init(_ bytes: [UInt8]) throws {
    guard let json = try? JSON(parsing: bytes), let version = json["version"]?.integer else {
      throw Damaged(field: "version")
    }
    guard version == currentVersion else { throw UnknownVersion(version: version) }
    self.json = json
  }

  func string(_ key: String) throws -> String { try value(key, json[key]?.string) }
  func number(_ key: String) throws -> Int64 { try value(key, json[key]?.integer) }

  func size(_ key: String) throws -> ByteCount {
    let number = try number(key)
    guard number > 0 else { throw Damaged(field: key) }
    return ByteCount(number)
  }

  func value<T>(_ key: String, _ value: T?) throws -> T {
    guard let value else { throw Damaged(field: key) }
    return value
  }

  func created() throws -> Timestamp {
    Timestamp(seconds: try number("created"), nanoseconds: Int32(truncatingIfNeeded: try number("created_nanoseconds")))
  }

  func content() throws -> VolumeContent {
    let text = try string("content")
    return text == "block" ? .block : .filesystem(try value("content", FilesystemType(rawValue: text)))
  }

  /// What is encrypted in a way that is not known here must not pass for plain.
  func encryption() throws -> VolumeEncryption? {
    guard let text = json["encryption"]?.string else { return nil }
    return try value("encryption", VolumeEncryption(rawValue: text))
  }

  func format() throws -> FormatState {
    let type = json["format_type"]?.string.flatMap(FilesystemType.init(rawValue:))
    return switch try string("format") {
    case "unformatted": .unformatted
    case "encrypting": .encrypting
    case "formatting": .formatting(try value("format_type", type))
    case "formatted": .formatted
    case "copied": .copied(try value("format_type", type))
    case "unrecorded": .unrecorded
    default: throw Damaged(field: "format")
    }
  }
}

extension VolumeContent {
  fileprivate var text: String {
    switch self {
    case .block: "block"
    case .filesystem(let type): type.rawValue
    }
  }
}

extension FormatState {
  fileprivate func write(to members: inout [String: JSON]) {
    let (state, type): (String, FilesystemType?) =
      switch self {
      case .unformatted: ("unformatted", nil)
      case .encrypting: ("encrypting", nil)
      case .formatting(let type): ("formatting", type)
      case .formatted: ("formatted", nil)
      case .copied(let type): ("copied", type)
      case .unrecorded: ("unrecorded", nil)
      }
    members["format"] = .string(state)
    members["format_type"] = type.map { .string($0.rawValue) }
  }
}

extension Timestamp {
  fileprivate func write(to members: inout [String: JSON]) {
    members["created"] = .integer(seconds)
    members["created_nanoseconds"] = .integer(Int64(nanoseconds))
  }
}

extension VolumeRecord {
  /// - Throws: `UnknownVersion`, `Damaged`.
  init(id: NativeID, parsing bytes: [UInt8]) throws {
    let reader = try Reader(bytes)
    self.init(
      id: id, name: try reader.string("name"), capacity: try reader.size("capacity"), content: try reader.content(),
      format: try reader.format(), parameters: try reader.value("parameters", reader.json["parameters"]?.strings),
      source: reader.json["source_snapshot"]?.string.map { .snapshot(NativeID($0)) }
        ?? reader.json["source_volume"]?.string.map { .volume(NativeID($0)) },
      isEphemeral: try reader.value("ephemeral", reader.json["ephemeral"]?.bool), attachment: nil)
    if let json = reader.json["attachment"] {
      attachment = LocalAttachment(
        node: NodeID(try reader.value("attachment", json["node"]?.string)),
        capability: try reader.value("attachment", json["capability"]?.string),
        readOnly: try reader.value("attachment", json["read_only"]?.bool))
    }
    if let json = reader.json["mutable"] { mutable = try reader.value("mutable", json.strings) }
  }

  var encoded: [UInt8] {
    var members: [String: JSON] = [
      "version": .integer(currentVersion), "name": .string(name), "capacity": .integer(capacity.bytes),
      "content": .string(content.text), "parameters": .strings(parameters), "ephemeral": .bool(isEphemeral),
    ]
    format.write(to: &members)
    switch source {
    case .snapshot(let id): members["source_snapshot"] = .string(id.rawValue)
    case .volume(let id): members["source_volume"] = .string(id.rawValue)
    case nil: break
    }
    if let attachment {
      members["attachment"] = .object(sorting: [
        "node": .string(attachment.node.rawValue), "capability": .string(attachment.capability),
        "read_only": .bool(attachment.readOnly),
      ])
    }
    if !mutable.isEmpty { members["mutable"] = .strings(mutable) }
    return JSON.line(members)
  }
}

extension SnapshotRecord {
  /// - Throws: `UnknownVersion`, `Damaged`.
  init(id: NativeID, group: NativeID?, parsing bytes: [UInt8]) throws {
    let reader = try Reader(bytes)
    self.init(
      id: id, name: try reader.string("name"), source: NativeID(try reader.string("source")),
      size: try reader.size("size"), created: try reader.created(), content: try reader.content(),
      format: try reader.format(), encryption: try reader.encryption(), group: group)
  }

  var encoded: [UInt8] {
    var members: [String: JSON] = [
      "version": .integer(currentVersion), "name": .string(name), "source": .string(source.rawValue),
      "size": .integer(size.bytes), "content": .string(content.text),
    ]
    members["encryption"] = encryption.map { .string($0.rawValue) }
    format.write(to: &members)
    created.write(to: &members)
    return JSON.line(members)
  }
}

extension GroupRecord {
  /// - Throws: `UnknownVersion`, `Damaged`.
  init(id: NativeID, parsing bytes: [UInt8]) throws {
    let reader = try Reader(bytes)
    let members = try reader.value("members", reader.json["members"]?.array)
    self.init(
      id: id, name: try reader.string("name"), created: try reader.created(),
      members: try members.map { NativeID(try reader.value("members", $0.string)) })
  }

  var encoded: [UInt8] {
    var members: [String: JSON] = [
      "version": .integer(currentVersion), "name": .string(name),
      "members": .array(self.members.map { .string($0.rawValue) }),
    ]
    created.write(to: &members)
    return JSON.line(members)
  }
}
