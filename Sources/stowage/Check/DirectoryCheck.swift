import Glibc
import Host
import Storage

/// Looks at the directory of a file backend, or at the one that it would be made in. Leaves nothing behind: it tries
/// things out with files that have no name.
struct DirectoryCheck {
  private let directory: String
  private let directIO: Bool
  /// The directory itself, or the nearest one above it that exists.
  private let existing: String

  init(_ directory: String, directIO: Bool) {
    self.directory = directory
    self.directIO = directIO
    var parts = directory.split(separator: "/")
    while !parts.isEmpty, access("/" + parts.joined(separator: "/"), F_OK) != 0 { parts.removeLast() }
    existing = "/" + parts.joined(separator: "/")
  }

  func findings(_ name: String) -> [Finding] {
    let subject = "backend \(name)"
    var status = stat()
    guard stat(existing, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return [.fail(subject, "\(existing) is no directory", do: "give it another directory")]
    }
    guard access(existing, W_OK | X_OK) == 0 else {
      return [.fail(subject, "\(existing): \(String(cString: strerror(errno)))", do: "make it writable for us")]
    }
    let isMade = directory == existing || directory.hasSuffix("/")
    var findings = [Finding.ok(subject, isMade ? directory : "\(directory), to be made in \(existing)")]
    if isMade, status.st_mode & 0o022 != 0 {
      findings.append(.warn(subject, "others may write into \(directory)", do: "chmod go-w \(directory)"))
    }
    return findings + [space(subject), reflink(subject)] + directAccess(subject)
  }

  private func space(_ subject: String) -> Finding {
    var status = statvfs()
    guard statvfs(existing, &status) == 0 else {
      return .fail(subject, "statvfs: \(String(cString: strerror(errno)))", do: "look at the file system")
    }
    let free = ByteCount(Int64(clamping: status.f_bavail) * Int64(clamping: status.f_frsize))
    let text = "\(free.bytes >> 20) MiB free"
    if status.f_flag & UInt(ST_RDONLY) != 0 { return .fail(subject, "mounted read-only", do: "mount it writable") }
    return free < .gib(1) ? .warn(subject, text, do: "make space before volumes are") : .ok(subject, text)
  }

  private func reflink(_ subject: String) -> Finding {
    let advice = "fine for small volumes; for large ones use a directory on xfs (mkfs.xfs -m reflink=1) or btrfs"
    do {
      let from = try UnnamedFile(in: existing)
      let to = try UnnamedFile(in: existing)
      let block = [UInt8](repeating: 1, count: 4096)
      _ = write(from.descriptor, block, block.count)
      guard try Reflink.clone(from: from.descriptor, to: to.descriptor) else {
        return .warn(subject, "does not share blocks: snapshots and clones are copies", do: advice)
      }
      return .ok(subject, "shares blocks: snapshots and clones take no time and no space")
    } catch {
      return .warn(subject, "cannot try whether it shares blocks: \(error)", do: advice)
    }
  }

  private func directAccess(_ subject: String) -> [Finding] {
    guard directIO else { return [] }
    do {
      _ = try UnnamedFile(in: existing, isDirect: true)
      return [.ok(subject, "direct I/O")]
    } catch {
      return [
        .warn(
          subject, "no direct I/O, volumes are cached twice: \(error)",
          do: "use another file system, or set directIO: false")
      ]
    }
  }
}
