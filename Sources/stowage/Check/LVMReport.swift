import Host
import Storage

/// What LVM's own programs say of a host's groups, for `stowage check`. They run without LVM's locks, so that neither
/// they nor a server that runs wait for each other.
struct LVMReport {
  struct Group: Hashable {
    let name: String
    let uuid: String
    let metadataSize: Int64
    let metadataFree: Int64
    let devices: Int
    let missingDevices: Int
  }

  struct Pool: Hashable {
    let isThinPool: Bool
    let zeroes: Bool
    /// Percent; nil while the pool is not active.
    let data: Double?
    let metadata: Double?
    let health: String
  }

  /// - Throws: `StorageError` with the program's words.
  static func groups() async throws -> [Group] {
    let fields = "vg_name,vg_uuid,vg_mda_size,vg_mda_free,pv_count,vg_missing_pv_count"
    return try await rows("vgs", fields, []).map { row in
      Group(
        name: row[0], uuid: row[1], metadataSize: Int64(row[2]) ?? 0, metadataFree: Int64(row[3]) ?? 0,
        devices: Int(row[4]) ?? 0, missingDevices: Int(row[5]) ?? 0)
    }
  }

  /// - Returns: nil when there is no such volume.
  /// - Throws: as `groups`.
  static func pool(_ name: String, in group: String) async throws -> Pool? {
    let fields = "lv_name,lv_layout,zero,data_percent,metadata_percent,lv_health_status"
    let row = try await rows("lvs", fields, [group]).first { $0[0] == name }
    return row.map { row in
      Pool(
        isThinPool: row[1].split(separator: ",").contains("pool") && row[1].contains("thin"), zeroes: row[2] == "zero",
        data: Double(row[3]), metadata: Double(row[4]), health: row[5])
    }
  }

  /// Lines that are no rows, such as warnings, are passed over.
  private static func rows(_ program: String, _ fields: String, _ arguments: [String]) async throws -> [[String]] {
    let separator = "<:>"
    let output = try await Command.run(
      [
        program, "--nolocking", "--noheadings", "--units", "b", "--nosuffix", "--separator", separator, "-o", fields,
      ] + arguments, limit: .seconds(30), package: "lvm2")
    guard output.succeeded else {
      throw StorageError.failed("\(program): \(output.status): \(output.text.split(separator: "\n").last ?? "")")
    }
    let count = fields.split(separator: ",").count
    return output.text.split(separator: "\n").compactMap { line in
      let parts = line.drop { $0 == " " }.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
      return parts.count == count ? parts : nil
    }
  }
}
