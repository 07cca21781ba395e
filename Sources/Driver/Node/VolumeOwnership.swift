import Glibc
import Host
import Storage

/// Makes a volume's files usable by a group (VOLUME_MOUNT_GROUP). Block file systems know no `gid=` mount option, so
/// the files themselves are changed: group, group read and write, and set-group-id on directories.
enum VolumeOwnership {
  /// The root is changed last: while it is not, the work is not done and a repeat does it again; when it is, nothing is
  /// walked. The volume is not published yet, nobody moves files under the walk.
  /// - Throws: `SystemCallError`; `.failed` for directories nested beyond reason.
  static func give(_ root: String, to group: gid_t) throws {
    let directory = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw SystemCallError("open", path: root, errno: errno) }
    defer { close(directory) }
    var status = stat()
    guard fstat(directory, &status) == 0 else { throw SystemCallError("fstat", path: root, errno: errno) }
    let wanted = status.st_mode | directoryBits
    guard status.st_gid != group || status.st_mode != wanted else { return }
    try walk(directory, root, device: status.st_dev, group: group, depth: 0)
    guard fchown(directory, .max, group) == 0 else { throw SystemCallError("fchown", path: root, errno: errno) }
    guard fchmod(directory, wanted & 0o7777) == 0 else { throw SystemCallError("fchmod", path: root, errno: errno) }
  }

  private static let directoryBits: mode_t = 0o2770
  private static let fileBits: mode_t = 0o660
  private static let deepest = 512

  private static func walk(_ directory: Int32, _ path: String, device: dev_t, group: gid_t, depth: Int) throws {
    guard depth < deepest else { throw StorageError.failed("directories are nested more than \(deepest) deep") }
    for name in try Directory.names(in: "/proc/self/fd/\(directory)") {
      var status = stat()
      guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw SystemCallError("fstatat", path: "\(path)/\(name)", errno: errno)
      }
      guard status.st_dev == device else { continue }
      let kind = status.st_mode & S_IFMT
      if kind == S_IFDIR {
        let inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard inner >= 0 else { throw SystemCallError("openat", path: "\(path)/\(name)", errno: errno) }
        defer { close(inner) }
        try walk(inner, "\(path)/\(name)", device: device, group: group, depth: depth + 1)
      }
      guard fchownat(directory, name, .max, group, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw SystemCallError("fchownat", path: "\(path)/\(name)", errno: errno)
      }
      guard kind != S_IFLNK else { continue }
      let mode = (status.st_mode | (kind == S_IFDIR ? directoryBits : fileBits)) & 0o7777
      guard fchmodat(directory, name, mode, 0) == 0 else {
        throw SystemCallError("fchmodat", path: "\(path)/\(name)", errno: errno)
      }
    }
  }
}
