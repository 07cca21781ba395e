import Glibc

/// One mount as /proc/self/mountinfo shows it (proc_pid_mountinfo(5)); octal escapes are resolved.
package struct MountEntry: Hashable, Sendable {
  package let id: Int
  /// The mount that this one lies on.
  package let parentID: Int
  package let device: DeviceNumber
  /// The directory or file of the file system that the mount shows: `/` unless it is a bind mount of a part.
  package let root: String
  package let mountPoint: String
  /// Options of this mount: `ro`, `nosuid`, ...
  package let options: [String]
  /// `ext4`, `fuse.sshfs`, ...
  package let type: String
  package let source: String
  /// Options of the file system, the same for all its mounts.
  package let superOptions: [String]

  /// Whether nothing can be written through this mount.
  package var isReadOnly: Bool { options.contains("ro") || superOptions.contains("ro") }
}

/// The mounts of this process' mount namespace at one moment.
package struct MountTable: Sendable {
  package let entries: [MountEntry]

  package init(entries: [MountEntry]) { self.entries = entries }

  /// Reads the table as it is now, in one sweep.
  /// - Throws: `SystemCallError`.
  package static func read() throws -> MountTable {
    MountTable(parsing: try FileContents.read("/proc/self/mountinfo"))
  }

  /// Reads mountinfo text. Lines that do not follow the format are skipped: a future kernel may add kinds of its own.
  package init(parsing text: [UInt8]) {
    var entries: [MountEntry] = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      if let entry = MountEntry(parsing: line) { entries.append(entry) }
    }
    self.entries = entries
  }

  /// The mounts on exactly `path` (as `HostPath.canonical` writes it), bottom first, top last. Mounts that a later mount
  /// on a parent directory hides are among them, below the visible ones as far as the table tells.
  package func entries(at path: String) -> [MountEntry] {
    let found = entries.filter { $0.mountPoint == path }
    guard found.count > 1 else { return found }
    let ids = Set(found.map(\.id))
    var above: [Int: [MountEntry]] = [:]
    for entry in found where ids.contains(entry.parentID) && entry.parentID != entry.id {
      above[entry.parentID, default: []].append(entry)
    }
    var stack: [MountEntry] = []
    for base in found where !ids.contains(base.parentID) || base.parentID == base.id {
      var pending = [base]
      while let entry = pending.popLast() {
        stack.append(entry)
        pending.append(contentsOf: above[entry.id] ?? [])
      }
    }
    return stack
  }

  /// The mounts that show the file system on `device`, in the table's order.
  ///
  /// For btrfs the number is the file system's own anonymous one, not the block device's: use `entries(source:)` too.
  package func entries(on device: DeviceNumber) -> [MountEntry] {
    entries.filter { $0.device == device }
  }

  /// The mounts whose file system lies on the block device `path`, whatever node name they were mounted by.
  package func entries(ofDevice path: String) -> [MountEntry] {
    guard let number = try? DeviceNumber.of(device: path) else { return [] }
    return entries(ofDevice: number)
  }

  /// The mounts whose file system lies on this block device.
  package func entries(ofDevice number: DeviceNumber) -> [MountEntry] {
    var verdicts: [String: Bool] = [:]
    return entries.filter { entry in
      if entry.device == number { return true }
      guard entry.device.major == 0, entry.source.hasPrefix("/") else { return false }
      if let known = verdicts[entry.source] { return known }
      let same = (try? DeviceNumber.of(device: entry.source)) == number
      verdicts[entry.source] = same
      return same
    }
  }
}

extension MountEntry {
  /// `36 35 98:0 /root /mount ro,noatime shared:1 - ext4 /dev/sda rw`; the source may be empty.
  init?(parsing line: some Collection<UInt8>) {
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count >= 10, let separator = fields[6...].firstIndex(where: { $0.elementsEqual([UInt8(ascii: "-")]) }),
      fields.count >= separator + 4
    else { return nil }
    func text(_ index: Int) -> String { String(decoding: fields[index], as: UTF8.self) }
    func list(_ index: Int) -> [String] {
      fields[index].split(separator: UInt8(ascii: ",")).map { unescape($0) }
    }
    guard let id = Int(text(0)), let parent = Int(text(1)), let device = DeviceNumber(parsing: text(2)) else {
      return nil
    }
    self.init(
      id: id, parentID: parent, device: device, root: unescape(fields[3]), mountPoint: unescape(fields[4]),
      options: list(5), type: text(separator + 1), source: unescape(fields[separator + 2]),
      superOptions: list(separator + 3))
  }
}

/// Resolves the kernel's `\040` escapes (space, tab, newline, backslash, number sign).
private func unescape(_ field: some Collection<UInt8>) -> String {
  guard field.contains(UInt8(ascii: "\\")) else { return String(decoding: field, as: UTF8.self) }
  let bytes = Array(field)
  var plain: [UInt8] = []
  plain.reserveCapacity(bytes.count)
  var index = 0
  while index < bytes.count {
    if bytes[index] == UInt8(ascii: "\\"), index + 3 < bytes.count,
      let value = octal(bytes[index + 1], bytes[index + 2], bytes[index + 3])
    {
      plain.append(value)
      index += 4
    } else {
      plain.append(bytes[index])
      index += 1
    }
  }
  return String(decoding: plain, as: UTF8.self)
}

private func octal(_ a: UInt8, _ b: UInt8, _ c: UInt8) -> UInt8? {
  let zero = UInt8(ascii: "0")
  guard (zero...zero + 3).contains(a), (zero...zero + 7).contains(b), (zero...zero + 7).contains(c) else { return nil }
  return (a - zero) << 6 | (b - zero) << 3 | (c - zero)
}
