import Configuration
import Glibc
import Host
import LVMBackend

/// Looks at what backends of type `lvm` need of the host, whatever groups they use.
struct LVMHostCheck {
  private let backends: [LVMSettings]
  private let layouts: [DeviceClassSettings.Layout]

  init(_ backends: [LVMSettings]) {
    self.backends = backends
    layouts = backends.flatMap(\.classes).map(\.layout)
  }

  var findings: [Finding] {
    kernel + libraries + programs + locks + [udev]
  }

  private var hasThin: Bool { layouts.contains { if case .thin = $0 { true } else { false } } }
  private var hasRAID: Bool { layouts.contains { if case .raid1 = $0 { true } else { false } } }

  // MARK: kernel

  private var kernel: [Finding] {
    guard let targets = DeviceMapper.targets() else {
      return [
        .fail(
          "device-mapper", "/dev/mapper/control does not answer: \(String(cString: strerror(errno)))",
          do: "modprobe dm-mod; run as root; in a container mount the host's /dev")
      ]
    }
    var findings = [Finding.ok("device-mapper", "/dev/mapper/control")]
    if hasThin { findings.append(target("thin-pool", module: "dm-thin-pool", in: targets, isNeeded: true)) }
    if hasRAID { findings.append(target("raid", module: "dm-raid", in: targets, isNeeded: true)) }
    return findings + [target("crypt", module: "dm-crypt", in: targets, isNeeded: false)]
  }

  private func target(_ name: String, module: String, in targets: Set<String>, isNeeded: Bool) -> Finding {
    let subject = "kernel \(name)"
    if targets.contains(name) { return .ok(subject, "in the running kernel") }
    if KernelModules.hasFile(of: module) { return .ok(subject, "a module that can be loaded") }
    let advice = "modprobe \(module); in a container mount the host's /lib/modules, or load it at boot (modules-load.d)"
    return isNeeded
      ? .fail(subject, "not in the running kernel", do: advice)
      : .warn(subject, "not in the running kernel: no encrypted volumes", do: advice)
  }

  // MARK: libraries and programs

  private var libraries: [Finding] {
    [
      library(
        "liblvm2cmd", "liblvm2cmd.so.2.03", loss: "nothing can be made or changed", package: "liblvm2cmd2.03",
        isNeeded: true),
      library(
        "libcryptsetup", "libcryptsetup.so.12", loss: "no encrypted volumes", package: "libcryptsetup12",
        isNeeded: false),
    ]
  }

  private func library(_ subject: String, _ file: String, loss: String, package: String, isNeeded: Bool) -> Finding {
    if let handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL) {
      dlclose(handle)
      return .ok(subject, file)
    }
    let message = "\(dlerror().map { String(cString: $0) } ?? "\(file) cannot be loaded"): \(loss)"
    let advice = "apt-get install \(package)"
    return isNeeded ? .fail(subject, message, do: advice) : .warn(subject, message, do: advice)
  }

  private var programs: [Finding] {
    var findings = [
      program(
        "lvmconfig", package: "lvm2", loss: "the host's lvm.conf is not honoured: which devices are LVM's is not known",
        isNeeded: false)
    ]
    guard hasThin else { return findings }
    findings.append(
      program(
        "thin_check", package: "thin-provisioning-tools", loss: "pools are not checked and may not come up",
        isNeeded: true))
    findings += ["thin_delta", "thin_dump"].map {
      program($0, package: "thin-provisioning-tools", loss: "no changed and allocated blocks", isNeeded: false)
    }
    return findings
  }

  private func program(_ name: String, package: String, loss: String, isNeeded: Bool) -> Finding {
    if let path = Command.locate(name) { return .ok(name, path) }
    let advice = "apt-get install \(package)"
    return isNeeded
      ? .fail(name, "not found: \(loss)", do: advice) : .warn(name, "not found: \(loss)", do: advice)
  }

  // MARK: living beside the host's own LVM

  private var locks: [Finding] {
    Set(backends.map { $0.lockDirectory ?? "/run/lock/lvm" }).sorted().map { directory in
      guard access(directory, W_OK | X_OK) == 0 else {
        let reason = String(cString: strerror(errno))
        // LVM makes it where the directory above is the host's; in a container it would be one that nobody else looks at.
        return Namespaces.isHost
          ? .ok("LVM locks", "\(directory), to be made by LVM")
          : .fail("LVM locks", "\(directory): \(reason)", do: "mount the host's \(directory) into the container")
      }
      return .ok("LVM locks", directory)
    }
  }

  private var udev: Finding {
    guard access("/run/udev/control", F_OK) == 0 else {
      return Namespaces.isHost
        ? .ok("udev", "does not run: LVM makes device nodes itself")
        : .warn(
          "udev", "/run/udev/control is missing", do: "mount the host's /run/udev, unless the host has no udev at all")
    }
    guard Namespaces.hasHostIPC else {
      return .fail(
        "udev", "it runs, but its semaphores are in another IPC namespace: LVM would wait for it in vain",
        do: "run the pod with hostIPC: true")
    }
    let rules = ["/usr/lib/udev/rules.d", "/lib/udev/rules.d", "/etc/udev/rules.d"].map { "\($0)/95-dm-notify.rules" }
    guard !Namespaces.isHost || rules.contains(where: { access($0, R_OK) == 0 }) else {
      return .fail(
        "udev", "it runs without the rules of device-mapper: LVM would wait for it in vain",
        do: "apt-get install dmsetup")
    }
    return .ok("udev", "runs; LVM waits for its device nodes")
  }
}

/// Which of the host's namespaces we are in. The first ones have fixed numbers (linux/proc_ns.h).
private enum Namespaces {
  static var hasHostIPC: Bool { isFirst("ipc", 0xEFFF_FFFF) }
  /// Not in a container.
  static var isHost: Bool { isFirst("pid", 0xEFFF_FFFC) }

  private static func isFirst(_ kind: String, _ number: UInt32) -> Bool {
    var buffer = [CChar](repeating: 0, count: 64)
    let count = readlink("/proc/self/ns/\(kind)", &buffer, buffer.count - 1)
    let text = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text == "\(kind):[\(number)]"
  }
}
