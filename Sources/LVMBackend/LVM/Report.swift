import JSONText
import Storage

/// Reads what `LVMCommand.report` prints (lvmreport(7)): bytes without suffix, times as seconds since 1970 (set in our
/// lvm.conf), and lvs(8)'s fields by name.
enum Report {
  static let groupFields = [
    "vg_name", "vg_uuid", "vg_seqno", "vg_extent_size", "vg_size", "vg_free", "vg_mda_size", "vg_mda_free",
    "vg_permissions", "vg_exported",
  ]
  static let deviceFields = ["pv_name", "pv_size", "pv_free", "pv_missing", "pv_allocatable"]
  static let volumeFields = [
    "lv_name", "lv_uuid", "lv_size", "lv_tags", "lv_layout", "lv_role", "pool_lv", "origin", "thin_id",
    "lv_health_status", "lv_time", "chunk_size", "lv_metadata_size", "zero", "lv_when_full", "transaction_id",
  ]

  /// The groups in the report. Lines that are no JSON (warnings come between them) are passed over.
  /// - Throws: `.failed` when it is not what was asked for.
  static func parse(_ output: String) throws -> [VolumeGroup] {
    let lines = output.split(separator: "\n").filter { line in
      line.first { $0 != " " }.map { "{}[],\"".contains($0) } ?? false
    }
    do {
      guard case .array(let reports)? = try JSON(parsing: lines.joined(separator: "\n"))["report"] else {
        throw StorageError.failed("LVM's report is not as it should be: no \"report\"")
      }
      return try reports.flatMap { report in try rows("vg", of: report).map { try group($0, in: report) } }
    } catch let error as JSONError {
      throw StorageError.failed("LVM's report cannot be read: \(error)")
    }
  }

  private static func rows(_ kind: String, of report: JSON) throws -> [Row] {
    guard case .array(let rows)? = report[kind] else {
      throw StorageError.failed("LVM's report is not as it should be: no \"\(kind)\"")
    }
    return rows.map(Row.init)
  }

  private static func group(_ row: Row, in report: JSON) throws -> VolumeGroup {
    let devices = try rows("pv", of: report).map { row in
      VolumeGroup.PhysicalVolume(
        name: try row.text("pv_name"), size: try row.bytes("pv_size"), free: try row.bytes("pv_free"),
        isMissing: try !row.text("pv_missing").isEmpty, isAllocatable: try !row.text("pv_allocatable").isEmpty)
    }
    var volumes: [String: LogicalVolume] = [:]
    // A volume has a row for each of its segments.
    for row in try rows("seg", of: report) {
      let volume = try volume(row)
      volumes[volume.name] = volume
    }
    return VolumeGroup(
      name: try row.text("vg_name"), uuid: try row.text("vg_uuid"), sequence: try row.number("vg_seqno"),
      extentSize: try row.bytes("vg_extent_size"), size: try row.bytes("vg_size"), free: try row.bytes("vg_free"),
      metadataSize: try row.bytes("vg_mda_size"), metadataFree: try row.bytes("vg_mda_free"),
      isWritable: try row.text("vg_permissions") == "writeable" && row.text("vg_exported").isEmpty,
      physicalVolumes: devices, volumes: volumes)
  }

  private static func volume(_ row: Row) throws -> LogicalVolume {
    let layout = try layout(row.text("lv_layout"))
    let roles = Set(try row.text("lv_role").split(separator: ",").map(String.init))
    var volume = LogicalVolume(
      // Brackets mark internal volumes where lvm.conf says so (report/mark_hidden_devices).
      name: try row.text("lv_name").filter { $0 != "[" && $0 != "]" }, uuid: try row.text("lv_uuid"),
      size: try row.bytes("lv_size"), tags: Set(try row.text("lv_tags").split(separator: ",").map(String.init)),
      layout: layout, poolName: try row.optional("pool_lv"), origin: try row.optional("origin"),
      thinID: try row.optional("thin_id").flatMap { Int64($0) },
      // LVM calls pools private too.
      isInternal: roles.contains("private") && layout != .thinPool,
      hasDependents: !roles.isDisjoint(with: [
        "thickorigin", "multithickorigin", "externalorigin", "multiexternalorigin",
      ]),
      health: try row.text("lv_health_status"), created: try row.number("lv_time"))
    if layout == .thin { volume.transactionID = try row.optional("transaction_id").flatMap { Int64($0) } }
    if layout == .thinPool {
      volume.pool = LogicalVolume.Pool(
        chunkSize: try row.bytes("chunk_size"), metadataSize: try row.bytes("lv_metadata_size"),
        zeroes: try row.text("zero") == "zero", failsWhenFull: try row.text("lv_when_full") == "error",
        transactionID: try row.number("transaction_id"))
    }
    return volume
  }

  private static func layout(_ text: String) -> LogicalVolume.Layout {
    let parts = Set(text.split(separator: ","))
    if parts.contains("thin") { return parts.contains("pool") ? .thinPool : .thin }
    if parts.contains("raid") { return .raid }
    if parts == ["linear"] { return .linear }
    if parts == ["striped"] { return .striped }
    return .other(text)
  }
}

/// One line of a report: all values are strings.
private struct Row {
  let fields: [String: String]

  init(_ json: JSON) {
    guard case .object(let members) = json else {
      fields = [:]
      return
    }
    var fields: [String: String] = [:]
    for member in members { if case .string(let text) = member.value { fields[member.key] = text } }
    self.fields = fields
  }

  func text(_ field: String) throws -> String {
    guard let text = fields[field] else { throw StorageError.failed("LVM's report lacks \(field)") }
    return text
  }

  func optional(_ field: String) throws -> String? {
    let text = try text(field)
    return text.isEmpty ? nil : text
  }

  func number(_ field: String) throws -> Int64 {
    let text = try text(field)
    guard let number = Int64(text) else { throw StorageError.failed("LVM's report has \(field)=\(text.prefix(40))") }
    return number
  }

  func bytes(_ field: String) throws -> ByteCount { ByteCount(try number(field)) }
}
