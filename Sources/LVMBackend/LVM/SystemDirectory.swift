import Glibc
import Host
import Storage

/// The directory that LVM reads its settings from in our worker: the host's own, with what a driver needs on top.
struct SystemDirectory: Sendable {
  let path: String
  /// The host's.
  static var host: String { getenv("LVM_SYSTEM_DIR").map { String(cString: $0) } ?? "/etc/lvm" }

  /// Writes lvm.conf, and links to the host's devices file and profiles.
  /// - Parameter lockDirectory: nil: as the host has it.
  /// - Returns: the lock directory that counts.
  /// - Throws: `StorageError`, `SystemCallError`.
  func prepare(lockDirectory: String?) async throws -> String {
    try HostPath.createDirectory(path)
    for name in ["devices", "profile"] {
      let link = "\(path)/\(name)"
      unlink(link)
      guard symlink("\(Self.host)/\(name)", link) == 0 else {
        throw SystemCallError("symlink", path: link, errno: errno)
      }
    }
    let host = try await Self.hostSettings()
    let text = Self.configuration(
      host: host, lockDirectory: lockDirectory,
      hasUdev: HostPath.exists("/run/udev/control"))
    try DurableFile.write(Array(text.utf8), to: "\(path)/lvm.conf", mode: 0o600)
    return lockDirectory ?? Self.lockDirectory(host: host) ?? "/run/lock/lvm"
  }

  /// What an administrator has set as `global/locking_dir`.
  static func lockDirectory(host: String) -> String? {
    let line = host.split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }
      .first { $0.hasPrefix("locking_dir=") }
    return line.map { String($0.dropFirst("locking_dir=".count)).filter { $0 != "\"" } }
  }

  /// What an administrator has set, as lvmconfig(8) prints it; empty where LVM's programs are not installed.
  private static func hostSettings() async throws -> String {
    guard Command.locate("lvmconfig") != nil else { return "" }
    let output = try await Command.run(["lvmconfig", "--type", "current"], limit: .seconds(30))
    guard output.status == .exited(0) else {
      throw StorageError.failed("lvmconfig(8) cannot read the host's settings: \(output.text.suffix(500))")
    }
    // More than is kept of a program's output: what is missing might be a filter.
    guard output.text.utf8.count < 8 << 10 else {
      throw StorageError.failed("the host's lvm.conf sets more than can be taken over (8 KiB)")
    }
    return output.text
  }

  /// The sections of the host's settings that say which devices and whose groups are LVM's, how space is given out and
  /// what tools check pools.
  private static let kept: Set<String> = ["devices", "local", "global", "allocation"]

  /// Settings of ours, whatever the host says. Asynchronous reads cost some 30 ms a command in a process that lives on
  /// (io_destroy(2) waits for RCU); backups of the metadata cost two fsync(2) a change.
  private static func ours(lockDirectory: String?, hasUdev: Bool) -> [(name: String, settings: [String])] {
    let udev = hasUdev ? 1 : 0
    return [
      (
        "global",
        ["use_aio=0", "use_lvmpolld=0", "notify_dbus=0", "locking_type=1", "wait_for_locks=1"]
          + (lockDirectory.map { ["locking_dir=\"\($0)\""] } ?? [])
      ),
      (
        "activation",
        ["monitoring=0", "udev_sync=\(udev)", "udev_rules=\(udev)", "thin_pool_autoextend_threshold=100"]
      ),
      ("backup", ["backup=0", "archive=0"]),
      (
        "log",
        ["syslog=0", "level=0", "verbose=0", "silent=0", "command_names=0", "prefix=\"\"", "report_command_log=0"]
      ),
      ("report", ["time_format=\"%s\"", "mark_hidden_devices=0", "compact_output=0", "binary_values_as_numeric=0"]),
    ]
  }

  /// The text of lvm.conf.
  /// - Parameter host: as lvmconfig(8) prints it: a setting a line, within a line `section {` and a line `}`.
  static func configuration(host: String, lockDirectory: String?, hasUdev: Bool) -> String {
    var sections: [(name: String, settings: [String])] = ours(lockDirectory: lockDirectory, hasUdev: hasUdev)
    let overridden = Set(sections.flatMap { section in section.settings.map { section.name + "/" + key($0) } })
    var section: String?
    for line in host.split(separator: "\n").map({ $0.drop { $0 == " " || $0 == "\t" } }) {
      if line.hasSuffix("{") {
        section = String(line.dropLast().prefix { $0 != " " })
      } else if line == "}" {
        section = nil
      } else if let name = section, kept.contains(name), line.contains("="),
        !overridden.contains(name + "/" + key(String(line)))
      {
        if let index = sections.firstIndex(where: { $0.name == name }) {
          sections[index].settings.append(String(line))
        } else {
          sections.append((name, [String(line)]))
        }
      }
    }
    return sections.map { "\($0.name) {\n\($0.settings.map { "  \($0)\n" }.joined())}\n" }.joined()
  }

  private static func key(_ setting: String) -> String { String(setting.prefix { $0 != "=" }) }
}
