import CSI
import struct Storage.ByteCount

/// Answers for people: tables where an answer is a list, `key  value` lines elsewhere. All of it is read from the JSON
/// form of the message, so that a new field shows up by itself.
package enum Presentation {
  /// A list inside an answer and the columns that matter in it.
  struct Table {
    var list: String
    var columns: [(title: String, path: String)]
  }

  static let tables: [String: Table] = [
    "ListVolumesResponse": Table(
      list: "entries",
      columns: [
        ("VOLUME", "volume.volume_id"), ("SIZE", "volume.capacity_bytes"),
        ("FROM SNAPSHOT", "volume.content_source.snapshot.snapshot_id"),
        ("FROM VOLUME", "volume.content_source.volume.volume_id"), ("NODES", "status.published_node_ids"),
        ("CONDITION", "status.volume_condition.message"),
      ]),
    "ListSnapshotsResponse": Table(list: "entries", columns: snapshotColumns("snapshot.")),
    "CreateVolumeGroupSnapshotResponse": Table(list: "group_snapshot.snapshots", columns: snapshotColumns("")),
    "GetVolumeGroupSnapshotResponse": Table(list: "group_snapshot.snapshots", columns: snapshotColumns("")),
    "GetPluginCapabilitiesResponse": Table(
      list: "capabilities", columns: [("SERVICE", "service.type"), ("EXPANSION", "volume_expansion.type")]),
    "ControllerGetCapabilitiesResponse": Table(list: "capabilities", columns: [("CAPABILITY", "rpc.type")]),
    "GroupControllerGetCapabilitiesResponse": Table(list: "capabilities", columns: [("CAPABILITY", "rpc.type")]),
    "NodeGetCapabilitiesResponse": Table(list: "capabilities", columns: [("CAPABILITY", "rpc.type")]),
    "NodeGetVolumeStatsResponse": Table(
      list: "usage",
      columns: [("UNIT", "unit"), ("TOTAL", "total"), ("USED", "used"), ("AVAILABLE", "available")]),
    "GetMetadataAllocatedResponse": blocks, "GetMetadataDeltaResponse": blocks,
    "ControllerListVolumeHealthResponse": Table(
      list: "entries", columns: [("VOLUME", "volume_id"), ("HEALTH", "health_statuses")]),
    "NodeGetStorageHealthResponse": Table(
      list: "backend_health", columns: [("STATUS", "status"), ("REASON", "reason"), ("MESSAGE", "message")]),
  ]

  private static let blocks = Table(
    list: "block_metadata", columns: [("OFFSET", "byte_offset"), ("SIZE", "size_bytes")])

  private static func snapshotColumns(_ prefix: String) -> [(title: String, path: String)] {
    [
      ("SNAPSHOT", "snapshot_id"), ("SIZE", "size_bytes"), ("VOLUME", "source_volume_id"),
      ("CREATED", "creation_time"), ("READY", "ready_to_use"), ("GROUP", "group_snapshot_id"),
    ].map { ($0.0, prefix + $0.1) }
  }

  /// Prints an answer to stdout.
  static func show(_ message: some CSIMessage, as format: OutputFormat) {
    let text = format == .json ? message.json.prettyText : text(of: message)
    if !text.isEmpty { print(text) }
  }

  /// The lines for people, without a newline at the end.
  package static func text(of message: some CSIMessage) -> String {
    var json = message.json
    var parts: [String] = []
    if let table = tables[type(of: message).messageName] {
      let rows = json.removeValue(at: table.list)?.elements ?? []
      let rendered = rows.isEmpty ? "none" : render(rows, table.columns)
      let rest = lines(json)
      // What stands beside a list (a token, a condition) is short; the list is what was asked for.
      parts = [rendered] + (rest.isEmpty ? [] : ["", rest])
    } else {
      parts = [lines(json)]
    }
    return parts.joined(separator: "\n")
  }

  /// Columns as wide as their widest cell; columns in which nothing stands are left out.
  static func render(_ rows: [JSON], _ columns: [(title: String, path: String)], heading: Bool = true) -> String {
    var cells = columns.map { column in rows.map { cell($0.value(at: column.path), key: column.path) } }
    var titles = columns.map(\.title)
    if heading {
      let kept = cells.indices.filter { index in cells[index].contains { $0 != "-" } }
      cells = kept.map { cells[$0] }
      titles = kept.map { titles[$0] }
    }
    let widths = zip(cells, titles).map { column, title in max(title.count, column.map(\.count).max() ?? 0) }
    var lines = heading ? [titles] : []
    for row in rows.indices { lines.append(cells.map { $0[row] }) }
    return lines.map { line in
      var text = zip(line, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
        .joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }.joined(separator: "\n")
  }

  /// Every leaf of a value on a line of its own: `volume.volume_id  v1`.
  static func lines(_ json: JSON) -> String {
    var leaves: [(key: String, value: String)] = []
    func visit(_ value: JSON, _ path: String) {
      switch value {
      case .object(let members) where !members.isEmpty:
        for member in members { visit(member.value, path.isEmpty ? member.key : "\(path).\(member.key)") }
      case .array(let elements) where elements.contains { if case .object = $0 { true } else { false } }:
        for (index, element) in elements.enumerated() { visit(element, "\(path)[\(index)]") }
      case .object: break
      default: leaves.append((printable(path), cell(value, key: path)))
      }
    }
    visit(json, "")
    let width = leaves.map(\.key.count).max() ?? 0
    return leaves.map { $0.key + String(repeating: " ", count: width - $0.key.count) + "  " + $0.value }
      .joined(separator: "\n")
  }

  private static func cell(_ value: JSON?, key: String) -> String {
    switch value {
    case nil, .null?: return "-"
    case .string(let text)?: return printable(text)
    case .integer(let number)? where isSize(key): return size(number)
    case .array(let items)?: return items.map { cell($0, key: key) }.joined(separator: ",")
    case let value?: return printable(value.text)
    }
  }

  private static func isSize(_ key: String) -> Bool {
    ["capacity_bytes", "size_bytes", "available_capacity", "maximum_volume_size", "minimum_volume_size"]
      .contains { key.hasSuffix($0) }
  }

  /// Short where that is exact, else the bytes themselves: nothing is rounded away.
  private static func size(_ bytes: Int64) -> String {
    let text = ByteCount(bytes).description
    return text.hasSuffix("iB") ? text : String(bytes)
  }

  /// Text of a stranger without what could command the terminal.
  static func printable(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
        out += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}

/// Shows a stream as one table, or as one line of JSON a message.
struct StreamPresentation {
  let format: OutputFormat
  private var isFirst = true

  init(format: OutputFormat) { self.format = format }

  mutating func show(_ message: some CSIMessage) {
    defer { isFirst = false }
    guard format == .table, let table = Presentation.tables[type(of: message).messageName] else {
      print(message.json.text)
      return
    }
    var json = message.json
    let rows = json.removeValue(at: table.list)?.elements ?? []
    if isFirst {
      print(Presentation.lines(json))
      print(table.columns.map { $0.title + String(repeating: " ", count: max(0, 16 - $0.title.count)) }.joined())
    }
    for row in rows {
      let cells = table.columns.map { column in
        switch row.value(at: column.path) {
        case .integer(let number)?: String(number)
        default: "0"
        }
      }
      print(cells.map { $0 + String(repeating: " ", count: max(1, 16 - $0.count)) }.joined())
    }
  }
}

extension JSON {
  /// The value behind a path of keys such as `volume.volume_id`.
  fileprivate func value(at path: String) -> JSON? {
    path.split(separator: ".").reduce(self) { value, key in value?[String(key)] }
  }

  fileprivate var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }

  /// Takes the value behind a path out of the tree; objects that become empty go with it.
  fileprivate mutating func removeValue(at path: String) -> JSON? {
    guard case .object(var members) = self else { return nil }
    let parts = path.split(separator: ".", maxSplits: 1)
    guard let key = parts.first, let index = members.firstIndex(where: { $0.key == key }) else { return nil }
    let removed: JSON?
    if parts.count == 1 {
      removed = members.remove(at: index).value
    } else {
      removed = members[index].value.removeValue(at: String(parts[1]))
      if members[index].value == .object([]) { members.remove(at: index) }
    }
    self = .object(members)
    return removed
  }
}
