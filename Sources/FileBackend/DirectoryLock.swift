import Glibc
import Storage

/// The exclusive right to a backend's directory: a flock(2) that ends with the process, however it ends.
final class DirectoryLock: Sendable {
  private let file: OpenFile

  /// - Throws: `.failed` when another process holds it.
  init(_ path: String, disk: Disk) throws {
    file = try disk.open(path, O_RDWR | O_CREAT)
    if flock(file.raw, LOCK_EX | LOCK_NB) == -1 {
      guard errno == EWOULDBLOCK else { throw Disk.error("flock", path, errno) }
      let holder = (try? disk.read(path)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) } ?? ""
      throw StorageError.failed(
        "another process\(holder.isEmpty ? "" : " (pid \(holder))") serves this directory and holds \(path); "
          + "only one may")
    }
    ftruncate(file.raw, 0)
    let pid = Array(String(getpid()).utf8)
    _ = pwrite(file.raw, pid, pid.count, 0)
  }
}
