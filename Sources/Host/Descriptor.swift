import CLinux
import Glibc

/// An open file descriptor, closed when its owner goes. Always close-on-exec.
package struct Descriptor: ~Copyable, Sendable {
  package let raw: Int32

  /// Takes ownership of `raw`.
  package init(owning raw: Int32) { self.raw = raw }

  /// open(2) with O_CLOEXEC.
  /// - Throws: `SystemCallError`.
  package init(opening path: String, _ flags: Int32, mode: mode_t = 0) throws {
    raw = try check(cl_open(path, flags, mode), "open", path)
  }

  /// The file itself, whatever it is, without opening its contents: O_PATH, never through a final symbolic link.
  /// - Throws: `SystemCallError`.
  package init(locating path: String) throws {
    let path = HostPath.withoutTrailingSlash(path)
    raw = try check(cl_open(path, cl_o_path | O_NOFOLLOW, 0), "open", path)
  }

  deinit { close(raw) }

  /// The path by which other system calls reach exactly this file, races or not.
  package var procPath: String { "/proc/self/fd/\(raw)" }

  /// fsync(2), counted in `HostCounters.syncs`.
  package func sync(_ path: String? = nil) throws {
    HostCounters.countSync()
    try checkLibc(fsync(raw), "fsync", path)
  }

  /// Attributes of the open file.
  package func attributes(_ path: String? = nil) throws -> FileAttributes {
    var status = cl_stat()
    try check(cl_fstat(raw, &status), "statx", path)
    return FileAttributes(status)
  }
}

/// What statx(2) says of a file.
package struct FileAttributes: Hashable, Sendable {
  /// Type and permission bits.
  package let mode: UInt32
  package let owner: UInt32
  package let group: UInt32
  package let inode: UInt64
  /// In bytes.
  package let size: Int64
  /// Bytes that the file takes on its file system.
  package let allocated: Int64
  /// The file system that the file lives on.
  package let device: DeviceNumber
  /// The device that the file stands for, when it is a device node.
  package let represents: DeviceNumber
  /// The mount that the file was reached through (`MountEntry.id`); 0 before Linux 5.8.
  package let mountID: UInt64
  /// Whether the file is the root of a mount.
  package let isMountRoot: Bool

  init(_ status: cl_stat) {
    mode = status.mode
    owner = status.uid
    group = status.gid
    inode = status.inode
    size = Int64(clamping: status.size)
    allocated = Int64(clamping: status.blocks) &* 512
    device = DeviceNumber(major: status.device_major, minor: status.device_minor)
    represents = DeviceNumber(major: status.rdev_major, minor: status.rdev_minor)
    mountID = status.mount_id
    isMountRoot = status.attributes & 0x2000 != 0  // STATX_ATTR_MOUNT_ROOT
  }

  /// - Parameter followLink: whether a final symbolic link is followed.
  /// - Throws: `SystemCallError`.
  package static func of(_ path: String, followLink: Bool = false) throws -> FileAttributes {
    var status = cl_stat()
    let path = followLink ? path : HostPath.withoutTrailingSlash(path)
    try check(cl_statx(AT_FDCWD, path, followLink, &status), "statx", path)
    return FileAttributes(status)
  }

  package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
  package var isRegular: Bool { mode & S_IFMT == S_IFREG }
  package var isSymbolicLink: Bool { mode & S_IFMT == S_IFLNK }
  package var isBlockDevice: Bool { mode & S_IFMT == S_IFBLK }
}
