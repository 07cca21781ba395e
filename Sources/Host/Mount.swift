import CLinux
import Glibc
import Storage

/// Mounts, made and undone by system calls. A target is never reached through a final symbolic link, and a call that
/// fails leaves nothing mounted.
package enum Mount {
  /// Mounts a file system (mount(2)).
  /// - Parameters:
  ///   - source: a block device, or what the file system's type takes.
  ///   - options: as `MountOptions(parsing:)` reads them.
  /// - Throws: `StorageError.invalid` for options, `SystemCallError`.
  package static func filesystem(_ source: String, at target: String, type: String, options: [String]) throws {
    let options = try MountOptions(parsing: options)
    let place = try Descriptor(locating: target)
    let result = cl_mount(source, place.procPath, type, options.flags, options.data.isEmpty ? nil : options.data)
    try check(result, "mount \(type) \(source)", target)
  }

  /// Shows the file, directory or device node `source` at `target` too (not what is mounted below it). A read-only
  /// bind mount is read-only before anybody can see it (open_tree(2), mount_setattr(2), move_mount(2); Linux 5.12).
  /// - Parameter target: a directory when `source` is one, else a file.
  /// - Throws: `SystemCallError`.
  package static func bind(_ source: String, at target: String, readOnly: Bool) throws {
    let place = try Descriptor(locating: target)
    let mount = Descriptor(owning: try check(cl_clone_mount(source), "open_tree", source))
    if readOnly {
      try check(cl_make_mount_read_only(mount.raw), "mount_setattr", source)
      var status = statvfs()
      try checkLibc(fstatvfs(mount.raw, &status), "fstatvfs", source)
      guard status.f_flag & UInt(ST_RDONLY) != 0 else {
        throw StorageError.failed("the kernel did not make the mount of \(source) read-only")
      }
    }
    try check(cl_attach_mount(mount.raw, place.raw), "move_mount", target)
  }

  /// Takes away every mount on `path`, the whole stack; broken ones (dead servers, lost devices) are detached at once.
  /// Succeeds when nothing is mounted there or the path does not exist.
  /// - Throws: `SystemCallError`: EBUSY while a process still uses the mount, ELOOP for a path that is a symbolic link.
  package static func unmount(_ path: String) throws {
    let path = HostPath.withoutTrailingSlash(path)
    // More than any real stack; a bound, in case something mounts as fast as this unmounts.
    for _ in 0..<4096 {
      switch try unmountTop(path) {
      case .took: continue
      case .nothingThere: return
      }
    }
    throw SystemCallError("umount2", path: path, errno: ELOOP)
  }

  private enum Outcome { case took, nothingThere }

  private static func unmountTop(_ path: String) throws -> Outcome {
    // Short-lived users (a statfs under way, a scanner) make a mount busy for moments, and no event tells their end.
    for pause in [0, 1, 2, 4, 8, 16, 32, 64, 128] as [UInt32] {
      usleep(pause * 1000)
      let result = cl_unmount(path, Int32(UMOUNT_NOFOLLOW))
      switch -result {
      case 0: return .took
      case ENOENT, ENOTDIR: return .nothingThere
      case EINVAL: return try nothingMounted(path)
      case EBUSY: continue
      case EIO, ENOTCONN, ESTALE, EHOSTDOWN, ETIMEDOUT, ENODEV, ENXIO, ESHUTDOWN:
        return try detach(path)
      default: throw SystemCallError("umount2", path: path, errno: -result)
      }
    }
    throw SystemCallError("umount2", path: path, errno: EBUSY)
  }

  /// umount2 says EINVAL for a path that is no mount point, and also for one that it may not unmount.
  private static func nothingMounted(_ path: String) throws -> Outcome {
    var status = cl_stat()
    let result = cl_statx_cached(path, &status)
    if result == 0, FileAttributes(status).isMountRoot {
      throw SystemCallError("umount2", path: path, errno: EINVAL)
    }
    if result == 0, FileAttributes(status).isSymbolicLink {
      throw SystemCallError("umount2", path: path, errno: ELOOP)
    }
    return .nothingThere
  }

  private static func detach(_ path: String) throws -> Outcome {
    let flags = Int32(UMOUNT_NOFOLLOW) | Int32(MNT_DETACH) | Int32(MNT_FORCE)
    let forced = cl_unmount(path, flags)
    if forced == 0 { return .took }
    let detached = cl_unmount(path, Int32(UMOUNT_NOFOLLOW) | Int32(MNT_DETACH))
    if detached == -EINVAL { return .nothingThere }
    try check(detached, "umount2", path)
    return .took
  }
}
