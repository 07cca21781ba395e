import Glibc
import Storage

/// A control group of version 2 (Documentation/admin-guide/cgroup-v2.rst of Linux).
package struct ControlGroup: Hashable, Sendable {
  package let path: String
  package init(path: String) { self.path = path }

  /// The group that holds all containers of a pod.
  ///
  /// - Parameter root: the directory in which the kubelet makes `kubepods` or `kubepods.slice`, or one further up.
  /// - Returns: nil when there is none.
  /// - Throws: `.precondition` when `root` is no directory of cgroup version 2.
  package static func of(pod: PodUID, below root: String) throws -> ControlGroup? {
    guard isVersion2(root) else { throw StorageError.precondition("\(root) is not cgroup version 2") }
    if let known = usualPaths(of: pod).lazy.map({ root + "/" + $0 }).first(where: HostPath.exists) {
      return ControlGroup(path: known)
    }
    return search(for: pod, below: root).map(ControlGroup.init)
  }

  /// Where the kubelet's two drivers put a pod, by class of service; guaranteed pods lie directly below `kubepods`.
  static func usualPaths(of pod: PodUID) -> [String] {
    let escaped = escaped(pod)
    return ["burstable", "besteffort"].flatMap { kind in
      ["kubepods.slice/kubepods-\(kind).slice/kubepods-\(kind)-pod\(escaped).slice", "kubepods/\(kind)/pod\(pod)"]
    } + ["kubepods.slice/kubepods-pod\(escaped).slice", "kubepods/pod\(pod)"]
  }

  /// systemd reads '-' in a slice's name as a step down.
  private static func escaped(_ pod: PodUID) -> String { String(pod.text.map { $0 == "-" ? "_" : $0 }) }

  /// Where the kubelet has a root of its own (`--cgroup-root`, kind, MicroK8s): breadth first, not into pods, so deep
  /// and so many directories at most.
  private static func search(for pod: PodUID, below root: String) -> String? {
    let plain = "pod\(pod)"
    let slice = "-pod\(escaped(pod)).slice"
    var level = [root]
    var left = 10_000
    for _ in 0..<6 {
      var next: [String] = []
      for directory in level {
        for name in (try? Directory.names(in: directory)) ?? [] {
          if name == plain || name.hasSuffix(slice) { return directory + "/" + name }
          let mayHold = name.hasSuffix(".slice") || name.contains("kube") || ["burstable", "besteffort"].contains(name)
          guard mayHold, !name.contains("-pod"), !name.contains(".scope"), left > 0 else { continue }
          left -= 1
          next.append(directory + "/" + name)
        }
      }
      level = next
    }
    return nil
  }

  /// Every group of version 2 has this file, none of version 1 does.
  package static func isVersion2(_ path: String) -> Bool { HostPath.exists(path + "/cgroup.controllers") }

  // MARK: limits of I/O

  /// Sets all four limits of the group for one device; what has none in `limits` is taken away.
  ///
  /// Enables the `io` controller where it is not. Success means that the kernel shows what was asked for.
  /// - Throws: `.precondition` when the kernel has no such controller here, `SystemCallError`.
  package func setIOLimits(_ limits: IOLimits, on device: DeviceNumber) throws {
    guard try ioLimits(on: device) != limits else { return }
    try enableIO()
    func word(_ value: Int64?) -> String { value.map(String.init) ?? IOLimits.unlimited }
    let line =
      "\(device) rbps=\(word(limits.readBytes)) wbps=\(word(limits.writeBytes))"
      + " riops=\(word(limits.readOperations)) wiops=\(word(limits.writeOperations))"
    try write(line, to: "io.max")
    let shown = try ioLimits(on: device)
    guard shown == limits else {
      throw StorageError.failed("\(path)/io.max does not show the limits of \(device) that were written")
    }
  }

  /// The limits that the kernel has for one device.
  /// - Throws: `SystemCallError`.
  package func ioLimits(on device: DeviceNumber) throws -> IOLimits {
    let file = path + "/io.max"
    guard HostPath.exists(file) else { return IOLimits() }
    return Self.limits(of: device, in: String(decoding: try FileContents.read(file), as: UTF8.self))
  }

  /// Reads the text of `io.max`: `8:16 rbps=2097152 wbps=max riops=max wiops=120`, one line a device.
  static func limits(of device: DeviceNumber, in text: String) -> IOLimits {
    var limits = IOLimits()
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let first = words.first, DeviceNumber(parsing: first) == device else { continue }
      for word in words.dropFirst() {
        let pair = word.split(separator: "=", maxSplits: 1)
        guard pair.count == 2 else { continue }
        switch pair[0] {
        case "rbps": limits.readBytes = Int64(pair[1])
        case "wbps": limits.writeBytes = Int64(pair[1])
        case "riops": limits.readOperations = Int64(pair[1])
        case "wiops": limits.writeOperations = Int64(pair[1])
        default: break
        }
      }
    }
    return limits
  }

  /// Each group gives a controller to its children only when its own parent gave it.
  private func enableIO() throws {
    guard try !controllers().contains("io") else { return }
    let parent = ControlGroup(path: HostPath.parent(of: path))
    guard Self.isVersion2(parent.path) else {
      throw StorageError.precondition("cgroup version 2 of this host has no io controller")
    }
    try parent.enableIO()
    try parent.write("+io", to: "cgroup.subtree_control")
  }

  private func controllers() throws -> [Substring] {
    let bytes = try FileContents.read(path + "/cgroup.controllers")
    return String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }
  }

  /// One write(2): the kernel takes a line whole or not at all.
  private func write(_ text: String, to file: String) throws {
    let file = path + "/" + file
    let descriptor = try Descriptor(opening: file, O_WRONLY | O_TRUNC)
    let bytes = Array(text.utf8)
    try checkLibc(Glibc.write(descriptor.raw, bytes, bytes.count), "write", file)
  }
}
