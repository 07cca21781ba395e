import CSI

/// What a cluster knows of a driver's volumes and snapshots, by the ids that the driver gave them (handles).
package struct References: Hashable, Sendable {
  package private(set) var volumes: Set<String> = []
  package private(set) var snapshots: Set<String> = []
  package private(set) var groups: Set<String> = []

  package init() {}

  /// Reads handles: one a line, or a JSON array of them, or what
  /// `kubectl get pv,volumesnapshotcontents,volumegroupsnapshotcontents -o json` says, of which only the objects of
  /// `driver` count. A handle of a list may be of any kind.
  /// - Throws: `ReferencesError` when the text is none of these, or a part of it cannot be understood.
  package init(parsing text: [UInt8], driver: String) throws {
    guard let text = String(validating: text, as: UTF8.self) else { throw ReferencesError("it is not UTF-8") }
    switch text.first(where: { !$0.isWhitespace }) {
    case "[", "{":
      do { try read(JSON(parsing: text), driver) } catch let error as JSONError { throw ReferencesError("\(error)") }
    default: addAll(text.split(whereSeparator: \.isNewline).map { Self.trimmed($0) }.filter { !$0.isEmpty })
    }
  }

  package var isEmpty: Bool { volumes.isEmpty && snapshots.isEmpty && groups.isEmpty }

  /// Whether anything of this kind is known. Where nothing is, more likely nobody asked than nothing is left.
  package func cover(_ kind: HeldObject.Kind) -> Bool {
    switch kind {
    case .volume: !volumes.isEmpty
    case .snapshot, .groupSnapshot: !snapshots.isEmpty || !groups.isEmpty
    }
  }

  /// A group is known when it is, or any of its members.
  package func contain(_ object: HeldObject) -> Bool {
    switch object.kind {
    case .volume: volumes.contains(object.id)
    case .snapshot: snapshots.contains(object.id)
    case .groupSnapshot: groups.contains(object.id) || object.members.contains(where: snapshots.contains)
    }
  }

  private mutating func addAll(_ handles: [String]) {
    volumes.formUnion(handles)
    snapshots.formUnion(handles)
    groups.formUnion(handles)
  }

  private static func trimmed(_ line: Substring) -> String {
    String(line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }

  private mutating func read(_ json: JSON, _ driver: String) throws {
    switch json {
    case .array(let items): addAll(try items.map { try Self.handle($0) })
    case .object where json["items"] != nil:
      guard case .array(let items)? = json["items"] else { throw ReferencesError("items is not an array") }
      for item in items { try readObject(item, driver) }
    default: try readObject(json, driver)
    }
  }

  private static func handle(_ json: JSON) throws -> String {
    guard case .string(let text) = json, !text.isEmpty else { throw ReferencesError("a handle is \(json.kind)") }
    return text
  }

  /// - Throws: for a kind that holds no handles: the list is not what was meant to be given.
  private mutating func readObject(_ object: JSON, _ driver: String) throws {
    guard case .string(let kind)? = object["kind"] else { throw ReferencesError("an object has no kind") }
    let spec = object["spec"]
    switch kind {
    case "PersistentVolume":
      guard spec?["csi"]?["driver"] == .string(driver) else { return }
      volumes.formUnion(try Self.handles(spec?["csi"]?["volumeHandle"]))
    case "VolumeSnapshotContent":
      guard spec?["driver"] == .string(driver) else { return }
      let status = object["status"]
      snapshots.formUnion(try Self.handles(status?["snapshotHandle"], spec?["source"]?["snapshotHandle"]))
      // The volume is about to be cut.
      volumes.formUnion(try Self.handles(spec?["source"]?["volumeHandle"]))
      groups.formUnion(try Self.handles(status?["volumeGroupSnapshotHandle"]))
    case "VolumeGroupSnapshotContent":
      guard spec?["driver"] == .string(driver) else { return }
      try readGroup(spec, object["status"])
    default: throw ReferencesError("\(kind.prefix(64)) refers to no volume or snapshot")
    }
  }

  private mutating func readGroup(_ spec: JSON?, _ status: JSON?) throws {
    let made = spec?["source"]?["groupSnapshotHandles"]
    groups.formUnion(
      try Self.handles(status?["volumeGroupSnapshotHandle"], made?["volumeGroupSnapshotHandle"]))
    snapshots.formUnion(try Self.handles(made?["volumeSnapshotHandles"]))
    volumes.formUnion(try Self.handles(spec?["source"]?["volumeHandles"]))
    // The list has had two names.
    for list in [status?["volumeSnapshotInfoList"], status?["volumeSnapshotHandlePairList"]] {
      guard case .array(let pairs)? = list else { continue }
      for pair in pairs { snapshots.formUnion(try Self.handles(pair["snapshotHandle"])) }
    }
  }

  /// Texts and lists of texts; what is not there is none.
  private static func handles(_ values: JSON?...) throws -> [String] {
    try values.flatMap { value -> [String] in
      switch value {
      case nil, .null?: []
      case .array(let items)?: try items.map { try handle($0) }
      case let value?: [try handle(value)]
      }
    }
  }
}

/// Why a text is no list of references.
package struct ReferencesError: Error, Hashable, CustomStringConvertible {
  package let description: String
  init(_ reason: String) { description = reason }
}
