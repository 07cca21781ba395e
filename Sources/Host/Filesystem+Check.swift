import CLinux
import Glibc
import Storage

extension Filesystem {
  /// Repairs what can be repaired safely before a mount.
  ///
  /// * ext4: `e2fsck -p`, only when the superblock says that the file system was not cleanly unmounted or has errors;
  ///   no program is started for a clean one, nor for one that is mounted or whose device is read-only.
  /// * xfs and btrfs: nothing; they replay their logs at mount, and their repair tools need a person.
  /// - Throws: `StorageError.dataLoss` when errors remain that need a person, `.failed` when the check could not run,
  ///   `.busy` while another program works on the device.
  package static func check(_ type: FilesystemType, device: String) async throws {
    if try !BlockDevice.isUnused(device) {
      // A mounted file system always looks unclean; e2fsck must not touch it.
      guard try MountTable.read().entries(ofDevice: device).isEmpty else { return }
      try requireUnused(device)
    }
    guard type == .ext4, let state = try Ext4Superblock.read(device), !state.isClean else { return }
    guard try !BlockDevice.isReadOnly(device) else { return }
    try await repair(device, force: false)
  }

  /// - Parameter force: check a file system that looks clean as well.
  /// - Throws: as `check`.
  static func repair(_ device: String, force: Bool) async throws {
    let argv = ["e2fsck", "-p"] + (force ? ["-f"] : []) + [device]
    let output = try await Command.run(argv, limit: .seconds(24 * 3600), package: toolPackage(.ext4))
    switch verdict(output.status) {
    case .usable: return
    case .damaged: throw StorageError.dataLoss(failure(argv, output).description)
    case .failed: throw failure(argv, output)
    }
  }

  enum CheckVerdict: Hashable { case usable, damaged, failed }

  /// What e2fsck's exit status, a sum of bits, means (e2fsck(8)).
  static func verdict(_ status: Command.Status) -> CheckVerdict {
    guard case .exited(let code) = status else { return .failed }
    if code & ~0b111 != 0 { return .failed }  // operational or usage error, cancelled, library error
    return code & 0b100 == 0 ? .usable : .damaged  // 1 corrected, 2 corrected and reboot, 4 errors left
  }
}

/// The few fields of an ext2/3/4 superblock that the driver reads by itself (Documentation/filesystems/ext4/super.rst).
struct Ext4Superblock: Hashable {
  let blockCount: UInt64
  let blockSize: Int64
  /// Unmounted cleanly, no errors, no journal to replay.
  let isClean: Bool

  /// Reads the superblock of a device through the kernel's cache; the mounted file system's present state is seen.
  /// - Returns: nil when there is no such superblock.
  static func read(_ device: String) throws -> Ext4Superblock? {
    let node = try Descriptor(opening: device, O_RDONLY)
    let bytes = try [UInt8](unsafeUninitializedCapacity: 1024) { buffer, count in
      count = try checkLibc(pread(node.raw, buffer.baseAddress, 1024, 1024), "pread", device)
    }
    return Ext4Superblock(parsing: bytes)
  }
}

extension Ext4Superblock {
  /// Whether a device of this size has room for more blocks worth having: a rest of 50 or fewer is less than a block
  /// group's own tables take, and the kernel and resize2fs leave it alone.
  func canGrow(to size: ByteCount) -> Bool {
    UInt64(size.bytes / blockSize) > blockCount + 50
  }

  init?(parsing bytes: [UInt8]) {
    guard bytes.count >= 1024 else { return nil }
    func number(_ offset: Int, _ width: Int) -> UInt64 {
      (0..<width).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }
    guard number(56, 2) == 0xEF53, number(24, 4) <= 6 else { return nil }
    let incompatible = number(96, 4)
    let has64Bit = incompatible & 0x80 != 0
    blockCount = number(4, 4) | (has64Bit ? number(0x150, 4) << 32 : 0)
    blockSize = 1024 << Int64(number(24, 4))
    let state = number(58, 2)  // 1: cleanly unmounted, 2: errors detected, 4: orphans being recovered
    let needsRecovery = incompatible & 0x4 != 0
    isClean = state & 1 != 0 && state & 2 == 0 && !needsRecovery
  }
}
