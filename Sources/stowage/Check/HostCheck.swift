import Configuration
import GRPC
import Glibc
import Host
import Storage

/// Looks at the host with the eyes of a configuration.
struct HostCheck {
  private let settings: Configuration
  /// File systems that volumes get without being asked for.
  private let defaults: Set<FilesystemType>

  init(_ settings: Configuration) {
    self.settings = settings
    defaults = Set(
      settings.backends.map { backend in
        switch backend.kind {
        case .file(let file): file.defaultFilesystem
        case .lvm(let lvm): lvm.defaultFilesystem
        }
      })
  }

  func findings() async -> [Finding] {
    var findings = [socket] + privileges + [loopControl] + FilesystemType.allCases.map(kernel) + tools
    findings += [controlGroups] + lvm
    for backend in settings.backends {
      switch backend.kind {
      case .file(let file):
        findings += DirectoryCheck(file.directory, directIO: file.directIO).findings(backend.name.rawValue)
      case .lvm(let lvm): findings += await VolumeGroupCheck(backend.name, lvm).findings()
      }
    }
    return findings
  }

  /// Controllers that never mount need less of the host.
  private var mounts: Bool { settings.mode != .controller }

  // MARK: the socket

  private var socket: Finding {
    guard let text = settings.endpoint else {
      return .fail("endpoint", "not set", do: "set CSI_ENDPOINT=unix:///run/csi/csi.sock")
    }
    let path: String
    do { path = try Endpoint(parsing: text).path } catch {
      return .fail("endpoint", "\(error)", do: "set CSI_ENDPOINT=unix:///run/csi/csi.sock")
    }
    let directory = path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    let parent = directory.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : directory
    guard access(parent, W_OK | X_OK) == 0 else {
      return .fail(
        "endpoint", "\(parent): \(String(cString: strerror(errno)))", do: "mkdir -p \(parent), writable for us")
    }
    return .ok("endpoint", path)
  }

  // MARK: privileges and kernel

  private var privileges: [Finding] {
    let advice = "run as root, or privileged in a container"
    guard Privileges.has(.sysAdmin) else {
      let message = "CAP_SYS_ADMIN is missing: no mounts, no loop devices"
      return [mounts ? .fail("privileges", message, do: advice) : .warn("privileges", message, do: advice)]
    }
    let lacking = Privileges.Capability.allCases.filter { !Privileges.has($0) }
    if lacking.isEmpty { return [.ok("privileges", "all that are needed")] }
    return lacking.map { capability in
      let loss = capability == .sysResource ? ": ext4 grows only before its next mount" : ""
      return .warn("privileges", "\(capability) is missing\(loss)", do: advice)
    }
  }

  private var loopControl: Finding {
    let descriptor = open("/dev/loop-control", O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      return .fail(
        "loop devices", "/dev/loop-control: \(reason)", do: "modprobe loop; in a container mount the host's /dev")
    }
    close(descriptor)
    return .ok("loop devices", "/dev/loop-control")
  }

  private func kernel(_ type: FilesystemType) -> Finding {
    let subject = "kernel \(type.rawValue)"
    if Self.lines("/proc/filesystems").contains(where: { $0.hasSuffix("\t\(type.rawValue)") }) {
      return .ok(subject, "in the running kernel")
    }
    if KernelModules.hasFile(of: type.rawValue) { return .ok(subject, "a module that can be loaded") }
    return lacking(type, subject, "neither in the running kernel nor a module of it", do: "modprobe \(type.rawValue)")
  }

  // MARK: tools

  private static let programs: [(name: String, type: FilesystemType, package: String)] = [
    ("mkfs.ext4", .ext4, "e2fsprogs"), ("e2fsck", .ext4, "e2fsprogs"), ("mkfs.xfs", .xfs, "xfsprogs"),
    ("mkfs.btrfs", .btrfs, "btrfs-progs"), ("btrfstune", .btrfs, "btrfs-progs"),
  ]

  private var tools: [Finding] {
    Self.programs.map { program in
      if let path = Command.locate(program.name) { return .ok(program.name, path) }
      return lacking(program.type, program.name, "not found", do: "apt-get install \(program.package)")
    }
  }

  /// What a file system needs is a must where it is some backend's default.
  private func lacking(_ type: FilesystemType, _ subject: String, _ message: String, do advice: String) -> Finding {
    let isNeeded = defaults.contains(type) && mounts
    return isNeeded
      ? .fail(subject, message, do: advice)
      : .warn(subject, "\(message): no \(type.rawValue) volumes", do: advice)
  }

  // MARK: I/O limits and LVM

  private var controlGroups: Finding {
    let subject = "I/O limits"
    let root = settings.cgroupRoot
    guard let controllers = Self.lines("\(root)/cgroup.controllers").first else {
      return .warn(
        subject, "\(root) is no control group of version 2: volumes with limits cannot be used",
        do: "boot with systemd.unified_cgroup_hierarchy=1; in a container mount the host's /sys/fs/cgroup")
    }
    guard controllers.split(separator: " ").contains("io") else {
      return .warn(
        subject, "\(root) has no io controller: volumes with limits cannot be used",
        do: "use a kernel with CONFIG_BLK_CGROUP, and cgroupRoot: the directory that kubepods lies in")
    }
    return .ok(subject, "control groups of version 2 with io in \(root)")
  }

  private var lvm: [Finding] {
    let backends = settings.backends.compactMap { if case .lvm(let lvm) = $0.kind { lvm } else { nil } }
    guard !backends.isEmpty else { return [] }
    return LVMHostCheck(backends).findings + [lengthOfNodeID]
  }

  /// It is part of the ids of LVM volumes.
  private var lengthOfNodeID: Finding {
    guard let node = try? settings.nodeID ?? Service.hostName() else {
      return .fail("node id", "the host has no name", do: "give --node-id")
    }
    return node.utf8.count <= 90
      ? .ok("node id", node)
      : .fail("node id", "\(node.utf8.count) bytes, but LVM volumes take at most 90", do: "give a shorter --node-id")
  }

  private static func lines(_ path: String) -> [Substring] {
    guard let bytes = try? FileContents.read(path) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }
}
