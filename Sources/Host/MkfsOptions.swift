import Storage

/// The arguments for mkfs that a `mkfsOptions` parameter may carry: a fixed list of flags, so that nothing can name
/// another device or read a file of this host.
package enum MkfsOptions {
  private struct Flags {
    let withValue: Set<String>
    let alone: Set<String>
  }

  // mke2fs(8), mkfs.xfs(8), mkfs.btrfs(8).
  private static func flags(of type: FilesystemType) -> Flags {
    switch type {
    case .ext4:
      Flags(
        withValue: ["-b", "-C", "-E", "-e", "-G", "-g", "-I", "-i", "-J", "-L", "-m", "-N", "-O", "-T", "-U"],
        alone: ["-j"])
    case .xfs:
      Flags(withValue: ["-b", "-d", "-i", "-L", "-l", "-m", "-n", "-r", "-s"], alone: ["-K"])
    case .btrfs:
      Flags(
        withValue: [
          "-d", "-L", "-m", "-n", "-O", "-s", "-U", "--data", "--metadata", "--nodesize", "--features", "--sectorsize",
          "--csum", "--checksum", "--label",
        ], alone: ["-K", "-M", "--mixed", "--nodiscard"])
    }
  }

  /// The single arguments of `text`.
  package static func split(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  /// - Parameter type: what the arguments are for; nil: any file system may understand them.
  /// - Throws: `.invalid` with the offending argument.
  package static func check(_ arguments: [String], for type: FilesystemType?) throws {
    let types = type.map { [$0] } ?? FilesystemType.allCases
    var refused = ""
    for type in types {
      guard let offender = firstRefused(arguments, flags(of: type)) else { return }
      refused = offender
    }
    throw StorageError.invalid("mkfsOptions: '\(refused)' is not allowed for \(type?.rawValue ?? "any file system")")
  }

  private static func firstRefused(_ arguments: [String], _ flags: Flags) -> String? {
    var wantsValue = false
    for argument in arguments {
      if wantsValue {
        guard isHarmlessValue(argument) else { return argument }
        wantsValue = false
      } else if flags.withValue.contains(argument) {
        wantsValue = true
      } else if !flags.alone.contains(argument) {
        // `--name=value` in one argument.
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, argument.hasPrefix("--"), flags.withValue.contains(parts[0]),
          isHarmlessValue(parts[1])
        else { return argument }
      }
    }
    return wantsValue ? arguments.last : nil
  }

  private static func isHarmlessValue(_ value: String) -> Bool {
    let allowed = value.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: "=,._:^+%-".utf8.contains(byte)
      }
    }
    // Sub-options that name another device or a file.
    let naming = ["device=", "dev=", "name=", "file", "protofile"]
    return allowed && !value.hasPrefix("-") && !naming.contains { value.contains($0) }
  }
}
