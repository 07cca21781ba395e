import Host
import Logging
import Storage

/// Puts the limits of a volume on the pods that it is published to on this node: on each pod's control group, for the
/// device whose file system or node the pod sees. The kernel keeps them; nothing is remembered here.
struct IOLimiter: Sendable {
  let registry: BackendRegistry
  let configuration: DriverConfiguration

  /// Puts on the pod behind `target` what the volume has: limits, or none.
  ///
  /// - Throws: `.precondition` when there are limits and no group to put them on: a pod without would break a promise.
  func limit(_ id: QualifiedID, at target: String) async throws {
    guard let backend = registry.backend(of: id) as? any IOLimitingBackend else { return }
    let limits = try await backend.ioLimits(of: id.native) ?? IOLimits()
    // What an earlier volume behind this device number left would hold for this one.
    guard !limits.isEmpty else { return try lift(try Self.device(at: target), at: target) }
    let group = try group(of: target)
    guard let device = try Self.device(at: target) else {
      throw StorageError.precondition("volume \(id) has I/O limits, but is no block device on this node")
    }
    try group.setIOLimits(limits, on: device)
  }

  /// The device that I/O at `target` goes to first; nil where nothing is mounted, or no device's file system. The mount
  /// table tells: whatever is mounted there may not answer any more.
  static func device(at target: String) throws -> DeviceNumber? {
    for entry in try MountTable.read().entries(at: target).reversed() {
      if let number = device(ofNode: entry.root) { return number }
      if entry.device.major != 0 { return entry.device }
      // btrfs has a number of its own that no limit can name.
      if entry.source.hasPrefix("/dev/"), let number = try? DeviceNumber.of(device: entry.source) { return number }
    }
    return nil
  }

  /// A mount of a device's node shows the node's name in /dev as its root.
  private static func device(ofNode root: String) -> DeviceNumber? {
    guard let name = root.split(separator: "/").last else { return nil }
    return ["/dev" + root, "/dev/\(name)"].lazy.compactMap { try? DeviceNumber.of(device: $0) }.first
  }

  /// Takes away the limits for `device`; there is nothing to do for a pod that is gone, nor on hosts without groups.
  func lift(_ device: DeviceNumber?, at target: String) throws {
    guard let device, let pod = PodUID(targetPath: target), ControlGroup.isVersion2(configuration.cgroupRoot),
      let group = try ControlGroup.of(pod: pod, below: configuration.cgroupRoot)
    else { return }
    do {
      try group.setIOLimits(IOLimits(), on: device)
    } catch  where !HostPath.exists(group.path) {
      // The pod went in between.
    }
  }

  private func group(of target: String) throws -> ControlGroup {
    guard let pod = PodUID(targetPath: target) else {
      throw StorageError.precondition("the volume has I/O limits, and target_path names no pod to put them on")
    }
    guard ControlGroup.isVersion2(configuration.cgroupRoot) else {
      throw StorageError.precondition(
        "the volume has I/O limits, and \(configuration.cgroupRoot) is not cgroup version 2: this host runs version 1, "
          + "or cgroupRoot is wrong")
    }
    guard let group = try ControlGroup.of(pod: pod, below: configuration.cgroupRoot) else {
      throw StorageError.precondition(
        "the volume has I/O limits, and pod \(pod) has no control group below \(configuration.cgroupRoot)")
    }
    return group
  }

  // MARK: all pods of a volume

  /// The targets of pods that show the volume on this node now.
  private func podTargets(of id: QualifiedID) async throws -> [String] {
    guard configuration.mode.servesNode, let source = try await registry.source(of: id) else { return [] }
    let presence = try Presence(of: source)
    let places = presence.mounts.map(\.mountPoint) + (try presence.deviceBinds().map(\.path))
    return places.filter { PodUID(targetPath: $0) != nil }
  }

  /// - Throws: `.precondition` when limits could not be put on a pod that uses the volume.
  func checkPublished(_ id: QualifiedID) async throws {
    guard registry.backend(of: id) is any IOLimitingBackend else { return }
    for target in try await podTargets(of: id) { _ = try group(of: target) }
  }

  func limitPublished(_ id: QualifiedID) async throws {
    guard registry.backend(of: id) is any IOLimitingBackend else { return }
    for target in try await podTargets(of: id) { try await limit(id, at: target) }
  }

  /// After a start, for what happened while nobody served.
  func restore(_ id: QualifiedID, _ logger: Logger) async {
    guard let backend = registry.backend(of: id) as? any IOLimitingBackend else { return }
    do {
      guard try await backend.ioLimits(of: id.native) != nil else { return }
      try await limitPublished(id)
    } catch {
      logger.error("cannot put I/O limits back", metadata: ["volume_id": "\(id)", "error": "\(error)"])
    }
  }
}
