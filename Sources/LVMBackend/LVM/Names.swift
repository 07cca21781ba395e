import Storage

/// What LVM takes as a name or a tag (lvm(8), "VALID NAMES"; lvm2's lib/misc/lvm-string.c), checked before anything of
/// it can become part of a command line.
package enum LVMName {
  private static let reservedPrefixes = ["snapshot", "pvmove"]
  private static let reservedParts = [
    "_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_wcorig", "_mimage", "_mlog", "_rimage", "_rmeta", "_tdata",
    "_tmeta", "_vdata", "_imeta", "_iorig", "_pmspare", "_vorigin",
  ]

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "."),
      UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count < 128 && name.utf8.allSatisfy(isNameByte) && !name.hasPrefix("-")
      && name != "." && name != ".."
  }

  /// - Throws: `.invalid` for what is no name of a volume group.
  package static func check(group: String) throws {
    guard isName(group) else { throw StorageError.invalid("\(quoted(group)) is no name of a volume group") }
  }

  /// - Throws: `.invalid` for what is no name of a logical volume in that group.
  package static func check(_ path: LVPath) throws {
    try check(group: path.group)
    let isReserved =
      reservedPrefixes.contains { path.name.hasPrefix($0) } || reservedParts.contains { path.name.contains($0) }
    // Device-mapper's names have at most 127 bytes, and hyphens count twice there.
    guard isName(path.name), !isReserved, DeviceMapper.name(of: path).utf8.count <= 120 else {
      throw StorageError.invalid("\(quoted(path.name)) is no name of a logical volume")
    }
  }

  /// - Throws: `.invalid` for what is no tag.
  package static func check(tag: String) throws {
    let isTag =
      !tag.isEmpty && tag.utf8.count <= 1024 && !tag.hasPrefix("-")
      && tag.utf8.allSatisfy { isNameByte($0) || "/=!:&#".utf8.contains($0) }
    guard isTag else { throw StorageError.invalid("\(quoted(tag)) is no tag for LVM") }
  }

  /// For messages: what others wrote, short and printable.
  private static func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(60).map { $0.isASCII && $0.value > 0x20 ? String($0) : "?" }.joined()
    return "\"\(shown)\""
  }
}
