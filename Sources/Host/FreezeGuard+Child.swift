import CLinux
import Glibc

extension FreezeGuard {
  /// The body of `stowage freeze-guard PATH...`: freezes all or none, says `frozen` (or why not) on standard output,
  /// waits for a line or the end of standard input, thaws, says `thawed`.
  ///
  /// Everything that it touches while frozen is open before: it must not need a file that it has frozen itself.
  /// - Parameter mountPoints: the arguments after the sub-command.
  /// - Returns: the exit status: 0 when all was frozen and thawed.
  package static func runGuard(_ mountPoints: [String]) -> Int32 {
    // The parent's end alone decides when to thaw. A write to a parent that died must not kill us before that.
    for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
    guard !mountPoints.isEmpty else {
      say("error no mount point given")
      return 2
    }
    var frozen: [Int32] = []
    if let problem = freeze(mountPoints, into: &frozen) {
      _ = thaw(frozen)
      say("error \(problem)")
      return 1
    }
    say("frozen")
    var byte: UInt8 = 0
    while true {
      let count = read(0, &byte, 1)
      if count < 0, errno == EINTR { continue }
      if count <= 0 || byte == UInt8(ascii: "\n") { break }
    }
    if let problem = thaw(frozen) {
      say("error \(problem)")
      return 1
    }
    say("thawed")
    return 0
  }

  /// Opens all first, then freezes one by one; what was frozen is in `frozen` also when a later one fails.
  private static func freeze(_ mountPoints: [String], into frozen: inout [Int32]) -> SystemCallError? {
    let table = try? MountTable.read()
    var seen: Set<DeviceNumber> = []
    var opened: [(fd: Int32, path: String)] = []
    for path in mountPoints {
      let fd = cl_open(path, O_RDONLY | O_NONBLOCK, 0)
      guard fd >= 0 else { return SystemCallError("open", path: path, errno: -fd) }
      // By the mount table: the device numbers of stat differ between the subvolumes of one btrfs.
      let mount = table?.entries(at: HostPath.resolve(path) ?? path).last
      let device = mount?.device ?? (try? FileAttributes.of(path, followLink: true))?.device
      if let device, !seen.insert(device).inserted { continue }
      opened.append((fd, path))
    }
    for (fd, path) in opened {
      let result = cl_freeze(fd)
      guard result == 0 else { return SystemCallError("FIFREEZE", path: path, errno: -result) }
      frozen.append(fd)
    }
    return nil
  }

  /// In reverse order; goes on after a failure and returns the first one.
  private static func thaw(_ frozen: [Int32]) -> SystemCallError? {
    var first: SystemCallError?
    for fd in frozen.reversed() {
      let result = cl_thaw(fd)
      // EINVAL: somebody else thawed it; what was wanted is so.
      if result != 0, result != -EINVAL { first = first ?? SystemCallError("FITHAW", errno: -result) }
    }
    return first
  }

  private static func say(_ line: String) {
    try? DurableFile.writeAll(Array("\(line)\n".utf8), to: 1, "standard output")
  }
}
