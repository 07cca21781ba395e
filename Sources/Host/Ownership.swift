import CLinux
import Glibc
import Storage

/// Whom a volume's files belong to (CSI spec, VolumeCapability.MountVolume.volume_mount_group).
package enum Ownership {
  /// Gives everything below `root` to `group`, readable and writable: directories also searchable and with the
  /// set-group-id bit, so that new files inherit the group.
  ///
  /// The walk is skipped when the root directory is as it should be already. The root is changed last, so that an
  /// interrupted walk is repeated. Symbolic links are never followed and other file systems not entered.
  /// - Throws: `SystemCallError`.
  package static func apply(group: UInt32, to root: String) throws {
    let directory = try Descriptor(opening: root, O_RDONLY | O_DIRECTORY)
    let attributes = try directory.attributes(root)
    let wanted = attributes.mode | directoryBits
    guard attributes.group != group || attributes.mode != wanted else { return }
    var pending = [""]
    while let relative = pending.popLast() {
      try applyToEntries(of: relative, below: directory, root, group, attributes.device, &pending)
    }
    try change(directory.raw, root, group, mode: wanted)
  }

  /// g+rwx and set-group-id.
  private static let directoryBits: UInt32 = 0o2070
  /// u+rw and g+rw; never more than the owner has is taken away.
  private static let fileBits: UInt32 = 0o060

  private static func applyToEntries(
    of relative: String, below root: borrowing Descriptor, _ path: String, _ group: UInt32, _ device: DeviceNumber,
    _ pending: inout [String]
  ) throws {
    let flags = UInt64(O_RDONLY | O_DIRECTORY)
    let place = relative.isEmpty ? "." : relative
    let directory = Descriptor(
      owning: try check(
        cl_openat2(root.raw, place, flags, 0, UInt64(CL_RESOLVE_BENEATH | CL_RESOLVE_NO_SYMLINKS)), "openat2",
        "\(path)/\(relative)"))
    for name in try Directory.names(in: directory.procPath) {
      let full = "\(path)/\(relative)\(relative.isEmpty ? "" : "/")\(name)"
      let fd = openat(directory.raw, name, cl_o_path | O_NOFOLLOW | O_CLOEXEC)
      if fd == -1, errno == ENOENT { continue }
      let entry = Descriptor(owning: try checkLibc(fd, "openat", full))
      let attributes = try entry.attributes(full)
      guard attributes.device == device, !attributes.isMountRoot else { continue }
      if attributes.isDirectory {
        pending.append(relative.isEmpty ? name : "\(relative)/\(name)")
        try change(entry.raw, full, group, mode: attributes.mode | directoryBits)
      } else if attributes.isSymbolicLink {
        try change(entry.raw, full, group, mode: nil)
      } else {
        let execute = attributes.mode & 0o100 != 0 ? UInt32(0o010) : 0
        try change(entry.raw, full, group, mode: attributes.mode | fileBits | execute)
      }
    }
  }

  private static func change(_ fd: Int32, _ path: String, _ group: UInt32, mode: UInt32?) throws {
    try check(cl_chown_group(fd, group), "fchownat", path)
    // chmod after chown: chown clears set-id bits.
    if let mode { try checkLibc(chmod("/proc/self/fd/\(fd)", mode_t(mode & 0o7777)), "chmod", path) }
  }
}
