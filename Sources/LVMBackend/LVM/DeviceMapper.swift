import CLVM
import Glibc
import Host
import Storage
import Synchronization

/// What the kernel's device-mapper tells and takes (libdevmapper): no process, no LVM lock.
///
/// Safe to call from any thread: libdevmapper is not, so one mutex is around all of it. Nothing here waits for I/O:
/// statuses are asked for without flushing.
package enum DeviceMapper {
  package struct Info: Hashable, Sendable {
    package var major: UInt32
    package var minor: UInt32
    package var uuid: String
    package var isSuspended: Bool
    /// Whether it shows anything at all; false for one whose making was cut off.
    package var hasTable = true
    /// Whether a table waits to become the device's with its next resume.
    package var hasPendingTable = false
    package var isReadOnly: Bool
    package var openCount: Int

    /// Whether it is this volume of this group (both uuids as LVM writes them, with hyphens).
    package func isVolume(_ uuid: String, ofGroup groupUUID: String) -> Bool {
      self.uuid == DeviceMapper.uuidPrefix(ofGroup: groupUUID) + uuid.filter { $0 != "-" }
    }
  }

  /// Documentation/admin-guide/device-mapper/thin-provisioning.rst, "Status" of the thin-pool target.
  package struct PoolStatus: Hashable, Sendable {
    package enum Mode: String, Hashable, Sendable, CustomStringConvertible {
      case writable
      case readOnly = "read-only"
      case outOfDataSpace = "out of data space"
      case failed
      package var description: String { rawValue }
    }
    package var mode: Mode
    package var needsCheck: Bool
    package var transactionID: Int64
    package var usedData: ByteCount
    package var totalData: ByteCount
    package var usedMetadata: ByteCount
    package var totalMetadata: ByteCount
    /// Whether a metadata snapshot is held.
    package var holdsMetadataSnapshot: Bool
    /// Whether discards of volumes reach the disks below: the pool is set to it, and the disks take them.
    package var passesDiscards = false
  }

  /// Documentation/admin-guide/device-mapper/dm-raid.rst, "Status".
  package struct RAIDStatus: Hashable, Sendable {
    /// A character for each device: `A` in sync, `a` not yet, `D` dead.
    package var devices: String
    /// Sectors in sync, of how many.
    package var inSync: Int64
    package var total: Int64
    /// `idle`, `resync`, `recover`, `frozen` and so on.
    package var action: String
  }

  // MARK: names

  /// `vg-lv` with hyphens doubled, as /dev/mapper has it.
  package static func name(of path: LVPath) -> String {
    [path.group, path.name].map { $0.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--") }
      .joined(separator: "-")
  }
  package static func devicePath(of path: LVPath) -> String { "/dev/mapper/" + name(of: path) }

  /// What the uuids of all devices of a group begin with.
  static func uuidPrefix(ofGroup uuid: String) -> String { "LVM-" + uuid.filter { $0 != "-" } }

  // MARK: reads

  /// nil when there is no such device: the volume is not active.
  package static func info(_ path: LVPath) throws -> Info? { try info(named: name(of: path)) }

  static func info(named name: String) throws -> Info? {
    try Task.run(DM_DEVICE_INFO, name) { task in
      var info = dm_info()
      guard dm_task_get_info(task.raw, &info) != 0, info.exists != 0 else { return nil }
      return Info(
        major: info.major, minor: info.minor, uuid: dm_task_get_uuid(task.raw).map { String(cString: $0) } ?? "",
        isSuspended: info.suspended != 0, hasTable: info.live_table != 0, hasPendingTable: info.inactive_table != 0,
        isReadOnly: info.read_only != 0, openCount: Int(info.open_count))
    } ?? nil
  }

  /// The pool's own device (`-tpool`); nil when it is not active.
  package static func poolStatus(_ pool: LVPath) throws -> PoolStatus? {
    for name in poolNames(pool) {
      guard let status = try target(DM_DEVICE_STATUS, name), status.type == "thin-pool" else { continue }
      guard let table = try target(DM_DEVICE_TABLE, name), table.type == "thin-pool" else { continue }
      return try PoolStatus(status: status.parameters, table: table.parameters)
    }
    return nil
  }

  /// Bytes of an active thin volume that are mapped; nil when it is not active.
  /// - Throws: `.unavailable` when its pool has failed.
  package static func mapped(_ path: LVPath) throws -> ByteCount? {
    guard let status = try target(DM_DEVICE_STATUS, name(of: path)), status.type == "thin" else { return nil }
    guard let sectors = status.parameters.split(separator: " ").first.flatMap({ Int64($0) }) else {
      // "Fail" and "Error".
      throw StorageError.unavailable("\(path) cannot tell what is mapped: its pool has failed")
    }
    return ByteCount(sectors * 512)
  }

  /// nil when it is not active or no raid.
  package static func raidStatus(_ path: LVPath) throws -> RAIDStatus? {
    guard let status = try target(DM_DEVICE_STATUS, name(of: path)), status.type == "raid" else { return nil }
    return RAIDStatus(status.parameters)
  }

  // MARK: changes

  /// Sends a message to the pool's own device, such as `reserve_metadata_snap`.
  /// - Throws: `.unavailable` when the pool is not active, `.failed` with the kernel's word.
  package static func message(_ text: String, toPool pool: LVPath) throws {
    for name in poolNames(pool) {
      guard let status = try target(DM_DEVICE_STATUS, name), status.type == "thin-pool" else { continue }
      let sent: Void? = try Task.run(
        DM_DEVICE_TARGET_MSG, name,
        prepare: { dm_task_set_sector($0.raw, 0) != 0 && dm_task_set_message($0.raw, text) != 0 }
      ) { _ in }
      guard sent != nil else { break }
      return
    }
    throw StorageError.unavailable("the pool \(pool) is not active")
  }

  /// Drops the table that waits to become a device's.
  static func dropPendingTable(named name: String) throws {
    _ = try Task.run(DM_DEVICE_CLEAR, name) { _ in }
  }

  /// Lets a suspended device go on, and waits until udev has seen that: it takes the name of a suspended device away, and
  /// a command that suspended its pool just then would keep it from giving the name back.
  /// - Parameter isVisible: false for a part of volumes, which udev must not look into: it does as LVM once told it then,
  ///   and nobody waits.
  static func resume(named name: String, isVisible: Bool) throws {
    var cookie: UInt32 = 0
    defer { if cookie != 0 { dm_udev_wait(cookie) } }
    _ = try Task.run(
      DM_DEVICE_RESUME, name,
      prepare: {
        dm_task_set_add_node($0.raw, DM_ADD_NODE_ON_CREATE) != 0
          && (!isVisible || dm_task_set_cookie($0.raw, &cookie, 0) != 0)
      }
    ) { _ in }
  }

  /// How many devices lie below a device, one upon the other; 0 for one on disks alone.
  static func depth(of info: Info) -> Int { depth(below: "/sys/dev/block/\(info.major):\(info.minor)", limit: 16) }

  private static func depth(below device: String, limit: Int) -> Int {
    let parts = (try? Directory.names(in: device + "/slaves")) ?? []
    guard limit > 0, parts.contains(where: { $0.hasPrefix("dm-") }) else { return 0 }
    return 1 + (parts.map { depth(below: "/sys/block/\($0)", limit: limit - 1) }.max() ?? 0)
  }

  /// The devices of a group that a command has left half changed: suspended, or with a table that is not theirs yet.
  static func halfChanged(ofGroup uuid: String) throws -> [String: Info] {
    let prefix = uuidPrefix(ofGroup: uuid)
    var found: [String: Info] = [:]
    for name in try names() {
      guard let info = try info(named: name), info.isSuspended || info.hasPendingTable, info.uuid.hasPrefix(prefix)
      else { continue }
      found[name] = info
    }
    return found
  }

  private static func names() throws -> [String] {
    try Task.run(DM_DEVICE_LIST, nil) { task in
      var result: [String] = []
      guard var entry = dm_task_get_names(task.raw).map({ UnsafeRawPointer($0) }) else { return result }
      // A list of records of different sizes, each with the offset of the next (libdevmapper.h, struct dm_names).
      while entry.load(as: dm_names.self).dev != 0 {
        let nameOffset = MemoryLayout<dm_names>.offset(of: \.next).map { $0 + MemoryLayout<UInt32>.size } ?? 12
        result.append(String(cString: (entry + nameOffset).assumingMemoryBound(to: CChar.self)))
        let next = entry.load(as: dm_names.self).next
        guard next != 0 else { break }
        entry += Int(next)
      }
      return result
    } ?? []
  }

  private static func poolNames(_ pool: LVPath) -> [String] {
    // A pool that no volume uses yet has no device below its own.
    [name(of: pool) + "-tpool", name(of: pool)]
  }

  private static func target(_ kind: Int, _ name: String) throws -> (type: String, parameters: String)? {
    try Task.run(kind, name, prepare: { dm_task_no_flush($0.raw) != 0 }) { task in
      var start: UInt64 = 0
      var length: UInt64 = 0
      var type: UnsafeMutablePointer<CChar>?
      var parameters: UnsafeMutablePointer<CChar>?
      dm_get_next_target(task.raw, nil, &start, &length, &type, &parameters)
      guard let type, let parameters else { return nil }
      return (String(cString: type), String(cString: parameters))
    } ?? nil
  }

  // MARK: libdevmapper

  private static let mutex = Mutex(false)

  /// One request to the kernel. `raw` is used only while `mutex` is held.
  private struct Task: ~Copyable {
    let raw: OpaquePointer
    init?(_ kind: Int32) {
      guard let raw = dm_task_create(kind) else { return nil }
      self.raw = raw
    }
    deinit { dm_task_destroy(raw) }

    /// - Returns: nil when there is no such device.
    static func run<Result>(
      _ kind: Int, _ name: String?, prepare: (borrowing Task) -> Bool = { _ in true },
      _ read: (borrowing Task) throws -> Result
    ) throws -> Result? {
      try mutex.withLock { isQuiet in
        if !isQuiet {
          clvm_quiet_device_mapper()
          isQuiet = true
        }
        guard let task = Task(Int32(kind)), name.map({ dm_task_set_name(task.raw, $0) != 0 }) ?? true, prepare(task)
        else { throw StorageError.failed("libdevmapper refuses a request for \(name ?? "all devices")") }
        guard dm_task_run(task.raw) != 0 else {
          let error = dm_task_get_errno(task.raw)
          if error == ENXIO { return nil }
          throw StorageError.failed(
            "device-mapper: \(name ?? "list"): \(error == 0 ? "not available" : String(cString: strerror(error)))")
        }
        return try read(task)
      }
    }
  }
}

extension DeviceMapper.PoolStatus {
  private static let metadataBlock: Int64 = 4096

  /// - Parameters: the target's status and table lines, from after the type on.
  init(status: String, table: String) throws {
    let words = status.split(separator: " ")
    guard words.count >= 5 else {
      // "Fail" or "Error": the kernel can tell nothing more.
      self.init(
        mode: .failed, needsCheck: words.contains("needs_check"), transactionID: 0, usedData: .zero, totalData: .zero,
        usedMetadata: .zero, totalMetadata: .zero, holdsMetadataSnapshot: false)
      return
    }
    let chunkSectors = table.split(separator: " ").dropFirst(2).first.flatMap { Int64($0) }
    guard let chunkSectors, let transaction = Int64(words[0]), let metadata = Self.fraction(words[1]),
      let data = Self.fraction(words[2])
    else { throw StorageError.failed("a thin pool's status makes no sense: \(status.prefix(200))") }
    let chunk = chunkSectors * 512
    let mode: Mode =
      switch words[4] {
      case "rw": .writable
      case "ro": .readOnly
      case "out_of_data_space": .outOfDataSpace
      default: .failed
      }
    self.init(
      mode: mode, needsCheck: words.contains("needs_check"), transactionID: transaction,
      usedData: ByteCount(data.used * chunk), totalData: ByteCount(data.total * chunk),
      usedMetadata: ByteCount(metadata.used * Self.metadataBlock),
      totalMetadata: ByteCount(metadata.total * Self.metadataBlock), holdsMetadataSnapshot: words[3] != "-",
      passesDiscards: words.contains("discard_passdown"))
  }

  private static func fraction(_ text: Substring) -> (used: Int64, total: Int64)? {
    let parts = text.split(separator: "/").compactMap { Int64($0) }
    return parts.count == 2 ? (parts[0], parts[1]) : nil
  }
}

extension DeviceMapper.RAIDStatus {
  /// - Parameter status: such as `raid1 2 AA 131072/131072 idle 0 0 -`.
  init?(_ status: String) {
    let words = status.split(separator: " ")
    guard words.count >= 5 else { return nil }
    let ratio = words[3].split(separator: "/").compactMap { Int64($0) }
    guard ratio.count == 2 else { return nil }
    self.init(devices: String(words[2]), inSync: ratio[0], total: ratio[1], action: String(words[4]))
  }
}
