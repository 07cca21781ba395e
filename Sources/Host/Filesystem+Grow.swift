import CLinux
import Glibc
import Storage

extension Filesystem {
  /// Grows the mounted file system to its device's present size, by ioctl. Succeeds when it is as large already.
  /// - Throws: `StorageError.precondition` when this file system cannot grow while mounted, `SystemCallError`.
  package static func grow(_ type: FilesystemType, mountPoint: String, device: String) throws {
    let available = try BlockDevice.size(device)
    let root = try Descriptor(opening: mountPoint, O_RDONLY | O_DIRECTORY)
    switch type {
    case .ext4: try growExt4(root, mountPoint, device, available)
    case .xfs: try growXFS(root, mountPoint, available)
    case .btrfs: try growBtrfs(root, mountPoint, available)
    }
  }

  /// Whether this process may grow a mounted file system of the type. The kernel asks for CAP_SYS_RESOURCE with
  /// ext4, which containers and some machines do not give; `growUnmounted` helps then.
  package static func growsOnline(_ type: FilesystemType) -> Bool {
    type != .ext4 || Privileges.has(.sysResource)
  }

  /// Grows the file system of a device that is not mounted to the device's size: ext4 by resize2fs, after the full
  /// check that it demands. No program is started when it is as large already, nor for xfs and btrfs, which grow only
  /// mounted.
  /// - Throws: `StorageError.dataLoss` when the check leaves errors, `.failed` with what the tools said, `.busy` while
  ///   the device is mounted or another program works on it.
  package static func growUnmounted(_ type: FilesystemType, device: String) async throws {
    guard type == .ext4, let superblock = try Ext4Superblock.read(device) else { return }
    guard superblock.canGrow(to: try BlockDevice.size(device)) else { return }
    try requireUnused(device)
    try await repair(device, force: true)
    let argv = ["resize2fs", device]
    let output = try await Command.run(argv, limit: .seconds(24 * 3600), package: toolPackage(type))
    guard output.succeeded else { throw failure(argv, output) }
  }

  /// How much of its device the file system at `mountPoint` takes: what `grow` makes larger.
  /// - Throws: `StorageError.invalid` when nothing known is mounted there, `SystemCallError`.
  package static func size(mountPoint: String) throws -> ByteCount {
    guard let mount = try MountTable.read().entries(at: mountPoint).last else {
      throw StorageError.invalid("nothing is mounted at \(mountPoint)")
    }
    let root = try Descriptor(opening: mountPoint, O_RDONLY)
    switch FilesystemType(rawValue: mount.type) {
    case .ext4:
      guard let superblock = try Ext4Superblock.read(devicePath(mount)) else {
        throw StorageError.failed("\(mount.source) has no ext4 superblock")
      }
      return ByteCount(Int64(clamping: superblock.blockCount) * superblock.blockSize)
    case .xfs: return try xfsGeometry(root, mountPoint).size
    case .btrfs: return try btrfsDevice(root, mountPoint).size
    case nil: throw StorageError.invalid("\(mount.type) at \(mountPoint) is not a volume's file system")
    }
  }

  /// A node of the device that a mount lies on: its source, unless the kernel knows that number by another name.
  private static func devicePath(_ mount: MountEntry) -> String {
    if mount.source.hasPrefix("/"), (try? DeviceNumber.of(device: mount.source)) == mount.device { return mount.source }
    let link = HostPath.resolve("/sys/dev/block/\(mount.device)")
    return link.flatMap { $0.split(separator: "/").last }.map { "/dev/\($0)" } ?? mount.source
  }

  private static func growExt4(
    _ root: borrowing Descriptor, _ mountPoint: String, _ device: String, _ available: ByteCount
  ) throws {
    guard let superblock = try Ext4Superblock.read(device) else {
      throw StorageError.failed("\(device) has no ext4 superblock")
    }
    guard superblock.canGrow(to: available) else { return }
    guard growsOnline(.ext4) else {
      throw StorageError.precondition(
        "the ext4 at \(mountPoint) cannot grow while mounted: the server lacks CAP_SYS_RESOURCE")
    }
    let blocks = UInt64(available.bytes / superblock.blockSize)
    try grown(cl_ext4_resize(root.raw, blocks), "EXT4_IOC_RESIZE_FS", mountPoint)
  }

  private static func xfsGeometry(_ root: borrowing Descriptor, _ mountPoint: String) throws
    -> (size: ByteCount, blockSize: UInt32, inodePercent: UInt32)
  {
    var blockSize: UInt32 = 0
    var blocks: UInt64 = 0
    var percent: UInt32 = 0
    try Host.check(cl_xfs_geometry(root.raw, &blockSize, &blocks, &percent), "XFS_IOC_FSGEOMETRY_V1", mountPoint)
    return (ByteCount(Int64(clamping: blocks) * Int64(blockSize)), blockSize, percent)
  }

  private static func growXFS(_ root: borrowing Descriptor, _ mountPoint: String, _ available: ByteCount) throws {
    let geometry = try xfsGeometry(root, mountPoint)
    let blocks = UInt64(available.bytes) / UInt64(geometry.blockSize)
    guard Int64(blocks) * Int64(geometry.blockSize) > geometry.size.bytes else { return }
    let result = cl_xfs_grow(root.raw, blocks, geometry.inodePercent)
    // A tail too small for an allocation group cannot be used: the file system is as large as it gets.
    if result == -EINVAL, available.bytes - geometry.size.bytes < 64 << 20 { return }
    try grown(result, "XFS_IOC_FSGROWFSDATA", mountPoint)
  }

  private static func btrfsDevice(_ root: borrowing Descriptor, _ mountPoint: String) throws
    -> (size: ByteCount, id: UInt64)
  {
    var count: UInt64 = 0
    var largest: UInt64 = 0
    try Host.check(cl_btrfs_devices(root.raw, &count, &largest), "BTRFS_IOC_FS_INFO", mountPoint)
    guard count == 1 else {
      throw StorageError.precondition("the btrfs at \(mountPoint) has \(count) devices; grow it by hand")
    }
    var bytes: UInt64 = 0
    try Host.check(cl_btrfs_device_size(root.raw, largest, &bytes), "BTRFS_IOC_DEV_INFO", mountPoint)
    return (ByteCount(Int64(clamping: bytes)), largest)
  }

  private static func growBtrfs(_ root: borrowing Descriptor, _ mountPoint: String, _ available: ByteCount) throws {
    let device = try btrfsDevice(root, mountPoint)
    // btrfs counts in sectors of at least 4 KiB and leaves the rest of the device alone.
    guard available.bytes - device.size.bytes >= 64 << 10 else { return }
    guard available >= .mib(256) else {
      throw StorageError.precondition("the btrfs at \(mountPoint) grows to 256 MiB or more only")
    }
    try grown(cl_btrfs_grow(root.raw, device.id), "BTRFS_IOC_RESIZE", mountPoint)
  }

  private static func grown(_ result: Int32, _ call: String, _ mountPoint: String) throws {
    switch -result {
    case EOPNOTSUPP, EPERM, EROFS:
      let error = SystemCallError(call, path: mountPoint, errno: -result)
      throw StorageError.precondition("\(error): this file system cannot grow while it is mounted so")
    default: try Host.check(result, call, mountPoint)
    }
  }
}
