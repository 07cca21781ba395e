import CLinux
import Storage

/// Mount options as the kernel takes them: flag bits of mount(2), and the text for the file system.
package struct MountOptions: Hashable, Sendable {
  /// MS_ bits.
  package let flags: UInt
  /// Comma-separated, in the given order, without NUL; empty when there is none.
  package let data: String

  package var isReadOnly: Bool { flags & UInt(MS_RDONLY) != 0 }

  /// Reads options as mount(8) writes them. An element may hold several, separated by commas outside double quotes
  /// (`context="system_u:object_r:x:s0:c1,c2"`). Of two that contradict each other the later holds. Options that only
  /// mount(8) or fstab know and that change nothing here are dropped.
  /// - Throws: `StorageError.invalid` for options that would make another kind of mount than a new one (`bind`,
  ///   `remount`, `move`, propagation, `loop`), for NUL, and for more file system options than the kernel takes.
  package init(parsing options: [String]) throws {
    var flags: UInt = 0
    var data: [Substring] = []
    for option in options {
      guard !option.utf8.contains(0) else { throw StorageError.invalid("a mount option contains NUL") }
      for single in Self.split(option) {
        let name = single.prefix { $0 != "=" }
        if let change = Self.flagChanges[String(single)] {
          flags = flags & ~UInt(change.clears) | UInt(change.sets)
        } else if Self.refused.contains(String(name)) {
          throw StorageError.invalid("mount option \(name) is not for volumes")
        } else if !Self.ignored.contains(String(name)), !name.hasPrefix("x-"), !name.hasPrefix("X-") {
          data.append(single)
        }
      }
    }
    self.flags = flags
    self.data = data.joined(separator: ",")
    // mount(2): the data argument is one page, its final NUL included.
    guard self.data.utf8.count < 4096 else { throw StorageError.invalid("mount options exceed 4095 bytes") }
  }

  /// Cuts at commas outside double quotes; empty parts vanish.
  static func split(_ option: String) -> [Substring] {
    var parts: [Substring] = []
    var start = option.startIndex
    var isQuoted = false
    for index in option.indices {
      switch option[index] {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted:
        parts.append(option[start..<index])
        start = option.index(after: index)
      default: break
      }
    }
    parts.append(option[start...])
    return parts.filter { !$0.isEmpty }
  }

  private struct FlagChange {
    let sets: Int
    let clears: Int
    init(_ sets: Int, clears: Int = 0) {
      self.sets = sets
      self.clears = clears
    }
  }

  private static let accessTimes = Int(MS_NOATIME) | Int(MS_RELATIME) | Int(MS_STRICTATIME)

  private static let flagChanges: [String: FlagChange] = [
    "ro": FlagChange(Int(MS_RDONLY)),
    "rw": FlagChange(0, clears: Int(MS_RDONLY)),
    "nosuid": FlagChange(Int(MS_NOSUID)),
    "suid": FlagChange(0, clears: Int(MS_NOSUID)),
    "nodev": FlagChange(Int(MS_NODEV)),
    "dev": FlagChange(0, clears: Int(MS_NODEV)),
    "noexec": FlagChange(Int(MS_NOEXEC)),
    "exec": FlagChange(0, clears: Int(MS_NOEXEC)),
    "sync": FlagChange(Int(MS_SYNCHRONOUS)),
    "async": FlagChange(0, clears: Int(MS_SYNCHRONOUS)),
    "dirsync": FlagChange(Int(MS_DIRSYNC)),
    "noatime": FlagChange(Int(MS_NOATIME), clears: accessTimes),
    "atime": FlagChange(0, clears: Int(MS_NOATIME)),
    "relatime": FlagChange(Int(MS_RELATIME), clears: accessTimes),
    "norelatime": FlagChange(0, clears: Int(MS_RELATIME)),
    "strictatime": FlagChange(Int(MS_STRICTATIME), clears: accessTimes),
    "nostrictatime": FlagChange(0, clears: Int(MS_STRICTATIME)),
    "nodiratime": FlagChange(Int(MS_NODIRATIME)),
    "diratime": FlagChange(0, clears: Int(MS_NODIRATIME)),
    "lazytime": FlagChange(1 << 25),  // MS_LAZYTIME, which glibc does not define
    "nolazytime": FlagChange(0, clears: 1 << 25),
    "silent": FlagChange(1 << 15),  // MS_SILENT
    "loud": FlagChange(0, clears: 1 << 15),
  ]

  private static let refused: Set<String> = [
    "bind", "rbind", "remount", "move", "shared", "rshared", "private", "rprivate", "slave", "rslave", "unbindable",
    "runbindable", "make-shared", "make-rshared", "make-private", "make-rprivate", "make-slave", "make-rslave",
    "make-unbindable", "make-runbindable", "loop", "offset", "sizelimit", "encryption", "user", "users", "owner",
    "group",
  ]

  private static let ignored: Set<String> = [
    "defaults", "_netdev", "nofail", "auto", "noauto", "nouser", "nousers", "noowner", "nogroup", "comment",
  ]
}
