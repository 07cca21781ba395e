import CLinux
import Glibc

/// Tells who closes files in a directory, also files that were removed meanwhile (fanotify(7)). Needs CAP_SYS_ADMIN.
///
/// Nothing runs for it: the kernel queues what happens (and merges what repeats) until somebody asks.
package struct CloseWatch: ~Copyable, Sendable {
  package enum Event: Hashable, Sendable {
    /// `process` is 0 for one that our process namespace does not show.
    case closed(name: String, process: pid_t)
    /// The queue overflowed: any file may have been closed by anybody.
    case lost
  }

  private let descriptor: Descriptor
  package let directory: String
  private let device: DeviceNumber
  private let inode: UInt64

  /// - Throws: `SystemCallError`; EPERM and ENOSYS where watching is not for us.
  package init(_ directory: String) throws {
    let attributes = try FileAttributes.of(directory, followLink: true)
    descriptor = Descriptor(owning: try check(cl_watch_closes(directory), "fanotify", directory))
    self.directory = directory
    device = attributes.device
    inode = attributes.inode
  }

  /// Whether the path still leads to the directory that is watched.
  package var isCurrent: Bool {
    guard let now = try? FileAttributes.of(directory, followLink: true) else { return false }
    return now.device == device && now.inode == inode
  }

  /// What happened since the last call.
  package func events() -> [Event] {
    var result: [Event] = []
    while true {
      let (count, found) = withUnsafeTemporaryAllocation(of: cl_close.self, capacity: 16) { buffer in
        let count = cl_read_closes(descriptor.raw, buffer.baseAddress, 16)
        return (count, buffer.prefix(Int(max(0, count))).map(Self.event))
      }
      result += found
      if count < 0, count != -EINTR { return result + [.lost] }
      if count == 0 { return result }
    }
  }

  private static func event(_ raw: cl_close) -> Event {
    guard !raw.lost else { return .lost }
    let name = withUnsafeBytes(of: raw.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return .closed(name: name, process: raw.process)
  }
}
