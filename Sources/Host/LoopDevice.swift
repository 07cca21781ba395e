import CLinux
import Glibc
import Storage

/// A loop device: a file shown as a block device (loop(4)).
package struct LoopDevice: Hashable, Sendable {
  package let number: Int

  package init(number: Int) { self.number = number }

  /// Reads `/dev/loop7`; nil for any other path.
  package init?(path: String) {
    guard path.hasPrefix("/dev/loop"), let number = Int(path.dropFirst("/dev/loop".count)), number >= 0 else {
      return nil
    }
    self.number = number
  }

  package var path: String { "/dev/loop\(number)" }
  private var sysfs: String { "/sys/block/loop\(number)" }

  /// Shows `file` as a new loop device with sectors of 512 bytes that stays until `detach`.
  ///
  /// Not idempotent: look with `attached(to:)` first, or the file gets a second device.
  /// - Parameters:
  ///   - readOnly: the device refuses writes.
  ///   - directIO: bypass the page cache of the file's file system where that can; where not, the device caches.
  /// - Throws: `SystemCallError`; `StorageError.exhausted` when no device number stays free long enough.
  package static func attach(_ file: String, readOnly: Bool, directIO: Bool = true) throws -> LoopDevice {
    let backing = try Descriptor(opening: file, readOnly ? O_RDONLY : O_RDWR)
    let control = try Descriptor(opening: "/dev/loop-control", O_RDWR)
    for _ in 0..<256 {
      let number = try check(cl_loop_get_free(control.raw), "LOOP_CTL_GET_FREE")
      let loop = LoopDevice(number: Int(number))
      // Between the question and the answer's use another process may take the number, or remove the device.
      guard let device = try loop.openNode(O_RDWR) else { continue }
      let flags = (readOnly ? CL_LOOP_READ_ONLY : 0) | (directIO ? CL_LOOP_DIRECT_IO : 0)
      var result = cl_loop_configure(device.raw, backing.raw, 512, flags, file)
      if result == -EINVAL, directIO {
        result = cl_loop_configure(device.raw, backing.raw, 512, flags & ~CL_LOOP_DIRECT_IO, file)
      }
      switch -result {
      case 0: return loop
      case EBUSY, ENXIO, ENODEV, EAGAIN, EINTR: continue
      default: throw SystemCallError("LOOP_CONFIGURE", path: file, errno: -result)
      }
    }
    throw StorageError.exhausted("no loop device stayed free for \(file)")
  }

  /// The loop devices over `file`, found by the file's identity (device and inode), not by its name.
  ///
  /// A file that was deleted is found by the name that it had when it was attached.
  /// - Parameter readOnly: only those that do, or do not, refuse writes; nil for all.
  /// - Throws: `SystemCallError`.
  package static func attached(to file: String, readOnly: Bool? = nil) throws -> [LoopDevice] {
    let wanted: FileAttributes?
    do {
      wanted = try FileAttributes.of(file, followLink: true)
    } catch let error as SystemCallError where error.errno == ENOENT {
      wanted = nil
    }
    return try all().filter { loop in
      guard let state = loop.state() else { return false }
      if let readOnly, readOnly != state.isReadOnly { return false }
      guard let wanted else { return loop.backingFile == file + " (deleted)" }
      return state.inode == wanted.inode && state.device == wanted.device
    }
  }

  /// All loop devices that have a file now, by number.
  /// - Throws: `SystemCallError`.
  package static func all() throws -> [LoopDevice] {
    try Directory.names(in: "/sys/block")
      .compactMap { name in
        guard name.hasPrefix("loop"), let number = Int(name.dropFirst(4)) else { return nil }
        return LoopDevice(number: number)
      }
      .filter { access($0.sysfs + "/loop/backing_file", F_OK) == 0 }
      .sorted { $0.number < $1.number }
  }

  /// The path of the file behind the device as the kernel knows it, with ` (deleted)` after the name of a deleted one;
  /// nil when the device has none.
  package var backingFile: String? { FileContents.line(sysfs + "/loop/backing_file") }

  /// Whether the device refuses writes; false when it has no file.
  package var isReadOnly: Bool { state()?.isReadOnly ?? false }

  /// Whether the device bypasses the page cache of the file's file system.
  package var usesDirectIO: Bool { FileContents.line(sysfs + "/loop/dio") == "1" }

  private struct State {
    let device: DeviceNumber
    let inode: UInt64
    let isReadOnly: Bool
  }

  /// nil when the device has no file or went away.
  private func state() -> State? {
    guard let device = try? openNode(O_RDONLY) else { return nil }
    var status = cl_loop_status()
    guard cl_loop_status(device.raw, &status) == 0 else { return nil }
    return State(
      device: DeviceNumber(major: cl_major(status.device), minor: cl_minor(status.device)), inode: status.inode,
      isReadOnly: status.flags & CL_LOOP_READ_ONLY != 0)
  }

  /// Takes the file away and waits until the kernel has let it go. Succeeds when the device has no file.
  ///
  /// Unwritten data of the device is flushed first.
  /// - Throws: `SystemCallError`; `StorageError.busy` when others hold the device open for more than five seconds: it
  ///   goes as soon as they close it.
  package func detach() throws {
    do {
      guard let device = try openNode(O_RDONLY) else { return }
      HostCounters.countSync()
      fsync(device.raw)
      let result = cl_loop_clear(device.raw)
      if result == -ENXIO { return }
      if result != -EBUSY { try check(result, "LOOP_CLR_FD", path) }
    }
    // The kernel finishes at the last close, ours included, and sends no event that a plain process can wait for.
    var pause: UInt32 = 500
    for _ in 0..<64 {
      if access(sysfs + "/loop/backing_file", F_OK) != 0 { return }
      usleep(pause)
      pause = min(pause * 2, 100_000)
    }
    throw StorageError.busy("\(path) is still open somewhere")
  }

  /// Lets the device show the file's present size (LOOP_SET_CAPACITY).
  /// - Throws: `SystemCallError`.
  package func refreshSize() throws {
    let device = try Descriptor(opening: path, O_RDONLY)
    try check(cl_loop_refresh_size(device.raw), "LOOP_SET_CAPACITY", path)
  }

  /// Opens the device's node, which it makes where no device manager does (containers); nil when the kernel has no such
  /// device (any more).
  private func openNode(_ flags: Int32) throws -> Descriptor? {
    for _ in 0..<2 {
      let fd = cl_open(path, flags, 0)
      switch -fd {
      case ..<1: return Descriptor(owning: fd)
      case ENXIO, ENODEV: return nil
      case ENOENT:
        let made = cl_make_device_node(path, 0o660, 7, UInt32(number))
        if made != -EEXIST { try check(made, "mknod", path) }
      default: throw SystemCallError("open", path: path, errno: -fd)
      }
    }
    return nil
  }
}

/// Listing of directories.
package enum Directory {
  /// The names in a directory, without `.` and `..`, in no order.
  /// - Throws: `SystemCallError`.
  package static func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw SystemCallError("opendir", path: path, errno: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw SystemCallError("readdir", path: path, errno: errno) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
  }
}
