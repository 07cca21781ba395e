import CLinux
import Glibc
import Storage

/// Making, checking and growing the file systems of volumes, the same for every backend.
package enum Filesystem {
  /// The smallest device on which mkfs makes the file system with its default options, and from which it can grow
  /// (the kernel grows a btrfs to 256 MiB at least).
  package static func minimumSize(_ type: FilesystemType) -> ByteCount {
    switch type {
    case .ext4: .mib(1)
    case .btrfs: .mib(256)
    case .xfs: .mib(300)
    }
  }

  /// Options that every mount of the type needs. xfs: `nouuid`, so that a clone mounts beside its origin.
  package static func mountOptions(_ type: FilesystemType) -> [String] {
    switch type {
    case .xfs: ["nouuid"]
    case .ext4, .btrfs: []
    }
  }

  /// The command that makes a file system over whatever the device holds.
  /// - Parameter options: further arguments of mkfs, before the device; of two that contradict, mkfs takes the later.
  static func makeCommand(_ type: FilesystemType, device: String, options: [String]) -> [String] {
    switch type {
    case .ext4:
      // Nothing is discarded: volumes are new, and discards of large devices take minutes. No blocks are kept for root.
      ["mkfs.ext4", "-F", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]
        + options + [device]
    case .xfs: ["mkfs.xfs", "-f", "-q", "-K"] + options + [device]
    case .btrfs: ["mkfs.btrfs", "-f", "-q", "-K"] + options + [device]
    }
  }

  /// The Debian package that brings the tools of a type.
  package static func toolPackage(_ type: FilesystemType) -> String {
    switch type {
    case .ext4: "e2fsprogs"
    case .xfs: "xfsprogs"
    case .btrfs: "btrfs-progs"
    }
  }

  /// The programs that volumes of the type need and that are not installed here; empty when all is well.
  package static func missingTools(_ type: FilesystemType) -> [String] {
    let needed: [String] =
      switch type {
      case .ext4: ["mkfs.ext4", "e2fsck", "resize2fs"]
      case .xfs: ["mkfs.xfs"]
      case .btrfs: ["mkfs.btrfs", "btrfstune"]
      }
    return needed.filter { Command.locate($0) == nil }
  }

  /// Whether the running kernel mounts the type now (/proc/filesystems; a module that is not loaded yet is not listed).
  package static func isKnownToKernel(_ type: FilesystemType) -> Bool {
    guard let bytes = try? FileContents.read("/proc/filesystems") else { return false }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .contains { $0.split(separator: "\t").last == type.rawValue[...] }
  }

  /// Makes a file system over whatever the device holds: probe first. One program. Runs to its end even when the caller
  /// is cancelled.
  /// - Parameter options: further arguments of mkfs.
  /// - Throws: `StorageError.failed` with what mkfs said, `.busy` while another program works on the device.
  package static func make(_ type: FilesystemType, on device: String, options: [String]) async throws {
    try requireUnused(device)
    let argv = makeCommand(type, device: device, options: options)
    let output = try await Command.run(argv, limit: .seconds(3600), package: toolPackage(type))
    guard output.succeeded else { throw failure(argv, output) }
  }

  /// Gives a cloned btrfs an identity of its own, so that it mounts beside its origin (btrfstune -m: changes one id in
  /// the superblocks). Does nothing for ext4 (ids may repeat) and xfs (mounted with `nouuid`). The device must not be
  /// mounted. Repeating it is harmless.
  /// - Throws: `StorageError.failed` with what the tool said, `.busy` while another program works on the device.
  package static func renewIdentity(_ type: FilesystemType, device: String) async throws {
    guard type == .btrfs else { return }
    try requireUnused(device)
    let argv = ["btrfstune", "-m", device]
    let output = try await Command.run(argv, limit: .seconds(600), package: toolPackage(type))
    guard output.succeeded else { throw failure(argv, output) }
  }

  /// A program that a killed server began goes on without it, and what it does must end before anything else begins.
  /// - Throws: `StorageError.busy` while somebody holds the device.
  static func requireUnused(_ device: String) throws {
    guard try BlockDevice.isUnused(device) else {
      throw StorageError.busy("another program works on \(device)")
    }
  }

  static func failure(_ argv: [String], _ output: Command.Output) -> StorageError {
    var text = output.text.prefix(700)
    while text.last?.isWhitespace == true { text.removeLast() }
    return .failed("\(argv.joined(separator: " ")): \(output.status)\(text.isEmpty ? "" : ": \(text)")")
  }
}
