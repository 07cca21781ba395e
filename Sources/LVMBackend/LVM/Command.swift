import Storage

/// A command of LVM, as arguments. Every one names its volume group, or it would lock all of them.
///
/// Built only from checked names, tags and numbers: what lvm2cmd splits at spaces and quotes has none.
package struct LVMCommand: Hashable, Sendable {
  /// liblvm2cmd takes no more (MAX_ARGS in tools/lvmcmdlib.c).
  package static let argumentLimit = 63

  package let arguments: [String]
  /// The group that it may change, or reads.
  package let group: String

  package var line: String { arguments.joined(separator: " ") }

  private init(_ group: String, _ arguments: [String]) throws {
    guard arguments.count <= Self.argumentLimit else {
      throw StorageError.invalid("too many tags for one command of LVM")
    }
    self.group = group
    self.arguments = arguments
  }

  /// A size as LVM takes it: whole sectors; it rounds up to extents itself.
  private static func bytes(_ size: ByteCount) -> String { "\((size.rounded(upTo: 512) ?? size).bytes)b" }

  /// The volume is left inactive (`-an`), is activated only by who insists (`-ky`, `lvchange -K`), and nothing is
  /// written to it (`-Wn`, `-Zn`): it may be zeroed only where that is told.
  package static func create(_ order: NewLogicalVolume) throws -> LVMCommand {
    try LVMName.check(order.path)
    try order.tags.forEach(LVMName.check(tag:))
    guard order.size > .zero || order.kind.isSnapshot else { throw StorageError.invalid("a volume needs a size") }
    var arguments = ["lvcreate", "-y", "-an", "-ky", "-n", order.path.name]
    for tag in order.tags.sorted() { arguments += ["--addtag", tag] }
    let size = bytes(order.size)
    switch order.kind {
    case .thin(let pool):
      try LVMName.check(LVPath(order.path.group, pool))
      arguments += ["-Wn", "--type", "thin", "-V", size, "--thinpool", pool, order.path.group]
    case .snapshot(let origin):
      let origin = LVPath(order.path.group, origin)
      try LVMName.check(origin)
      arguments += ["-s", "\(origin)"]
    case .linear:
      arguments += ["-Wn", "-Zn", "--type", "linear", "-L", size, order.path.group]
    case .striped(let count):
      guard count >= 2 else { throw StorageError.invalid("striping needs two physical volumes or more") }
      arguments += ["-Wn", "-Zn", "--type", "striped", "-i", "\(count)", "-L", size, order.path.group]
    case .raid1(let copies):
      guard copies >= 2 else { throw StorageError.invalid("raid1 needs two copies or more") }
      arguments += ["-Wn", "-Zn", "--type", "raid1", "-m", "\(copies - 1)", "-L", size, order.path.group]
    }
    return try LVMCommand(order.path.group, arguments)
  }

  /// Removes it only from the very group with this uuid; then nothing is removed, and the command succeeds, when a
  /// group of the same name has taken its place.
  package static func remove(_ path: LVPath, groupUUID: String) throws -> LVMCommand {
    try LVMName.check(path)
    try LVMName.check(group: groupUUID)
    return try LVMCommand(path.group, ["lvremove", "-y", "-f", "-S", "vg_uuid=\(groupUUID)", "\(path)"])
  }

  /// Lets an active volume's device be as LVM knows the volume.
  package static func refresh(_ path: LVPath) throws -> LVMCommand {
    try LVMName.check(path)
    return try LVMCommand(path.group, ["lvchange", "--refresh", "\(path)"])
  }

  package static func extend(_ path: LVPath, to size: ByteCount) throws -> LVMCommand {
    try LVMName.check(path)
    return try LVMCommand(path.group, ["lvextend", "-y", "-L", bytes(size), "\(path)"])
  }

  package static func extendPool(_ path: LVPath, metadata size: ByteCount) throws -> LVMCommand {
    try LVMName.check(path)
    return try LVMCommand(path.group, ["lvextend", "-y", "--poolmetadatasize", bytes(size), "\(path)"])
  }

  package static func changeTags(_ path: LVPath, adding: Set<String>, removing: Set<String>) throws -> LVMCommand {
    try LVMName.check(path)
    try adding.union(removing).forEach(LVMName.check(tag:))
    var arguments = ["lvchange"]
    for tag in removing.sorted() { arguments += ["--deltag", tag] }
    for tag in adding.sorted() { arguments += ["--addtag", tag] }
    return try LVMCommand(path.group, arguments + ["\(path)"])
  }

  package static func rename(_ path: LVPath, to name: String) throws -> LVMCommand {
    try LVMName.check(path)
    try LVMName.check(LVPath(path.group, name))
    return try LVMCommand(path.group, ["lvrename", path.group, path.name, name])
  }

  package static func activate(_ path: LVPath) throws -> LVMCommand {
    try LVMName.check(path)
    return try LVMCommand(path.group, ["lvchange", "-y", "-ay", "-K", "\(path)"])
  }

  package static func deactivate(_ path: LVPath) throws -> LVMCommand {
    try LVMName.check(path)
    return try LVMCommand(path.group, ["lvchange", "-y", "-an", "\(path)"])
  }

  /// Everything that `VolumeGroup` holds, in one reading (lvmreport(7)); see `Report`.
  package static func report(_ group: String) throws -> LVMCommand {
    try LVMName.check(group: group)
    // Those of lv that are not asked for are the costly ones; `seg` alone knows pools, and all volumes with it.
    return try LVMCommand(
      group,
      [
        "fullreport", "--reportformat", "json", "--units", "b", "--nosuffix", "-a",
        "--configreport", "vg", "-o", Report.groupFields.joined(separator: ","),
        "--configreport", "pv", "-o", Report.deviceFields.joined(separator: ","),
        "--configreport", "lv", "-o", "lv_name", "-S", "lv_name=none",
        "--configreport", "pvseg", "-o", "pv_name", "-S", "pv_name=none",
        "--configreport", "seg", "-o", Report.volumeFields.joined(separator: ","), group,
      ])
  }
}

extension NewLogicalVolume.Kind {
  var isSnapshot: Bool { if case .snapshot = self { true } else { false } }
  var isThin: Bool {
    switch self {
    case .thin, .snapshot: true
    case .linear, .striped, .raid1: false
    }
  }
}
