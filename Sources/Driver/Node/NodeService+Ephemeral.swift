import CSI
import Host
import Storage

/// Inline ephemeral volumes: made, mounted at the target itself, unmounted and deleted by publish and unpublish alone.
/// Everything in their volume_context comes from a pod's author, who may be anybody.
extension NodeService {
  typealias EphemeralOwner = any EphemeralBackend

  func publishEphemeral(
    _ order: PublishOrder, _ request: NodePublishVolumeRequest
  ) async throws -> NodePublishVolumeResponse {
    guard let backend = registry.all.lazy.compactMap({ $0 as? EphemeralOwner }).first else {
      throw StorageError.invalid("no backend makes ephemeral volumes")
    }
    let spec = try ephemeralSpec(order, backend)
    let ordinary = registry.parse(order.volumeID)
    if try await registry.backend(of: ordinary).volume(ordinary.native)?.isEphemeral == false {
      throw StorageError.incompatible("volume \(order.volumeID) exists, and is no ephemeral one")
    }
    return try await gate.run(
      exclusive: keys(order.volumeID, backend) + [.path(order.target)], request: request
    ) {
      if let volume = try await existingVolume(spec, backend) {
        try await mountEphemeral(volume, order, backend)
      } else {
        try await mountEphemeral(newlyMade: try await backend.createVolume(spec), order, backend)
      }
      return NodePublishVolumeResponse()
    }
  }

  /// What this very call made goes again when it fails: the answer may be final, and nobody else knows of the volume.
  private func mountEphemeral(newlyMade volume: Volume, _ order: PublishOrder, _ backend: EphemeralOwner) async throws {
    CrashPoint.publishEphemeralCreated.reached()
    do {
      try await mountEphemeral(volume, order, backend)
    } catch {
      try await disconnect(registry.id(volume.id, of: backend))
      try await backend.deleteVolume(volume.id, secrets: .none)
      throw error
    }
  }

  private func ephemeralSpec(_ order: PublishOrder, _ backend: EphemeralOwner) throws -> VolumeSpec {
    guard order.capability.type == .mount else {
      throw StorageError.invalid("ephemeral volumes are file systems")
    }
    let wanted = order.volumeContext.filter { !ClassParameters.belongsToSidecar($0.key) }
    if let unknown = wanted.keys.first(where: { $0 != "size" && $0 != "encryption" }) {
      throw StorageError.invalid(
        "volume attribute \(unknown.prefix(64)) is not known; ephemeral volumes take size and encryption")
    }
    var capacity = CapacityRange.unspecified
    if let text = wanted["size"] {
      let size = try ByteCount.parsing(quantity: text, "volume attribute size")
      guard size <= configuration.ephemeralLimit else {
        throw StorageError.outOfRange("ephemeral volumes have at most \(configuration.ephemeralLimit)")
      }
      capacity = try CapacityRange(requiredBytes: size.bytes, limitBytes: 0)
    }
    return VolumeSpec(
      name: try FieldRules.name(order.volumeID, "volume_id"), capacity: capacity, capabilities: [order.capability],
      parameters: try backend.canonical(parameters: wanted.filter { $0.key == "encryption" }), secrets: order.secrets,
      isEphemeral: true)
  }

  /// - Throws: `.incompatible` when a volume of this name is another one.
  private func existingVolume(_ spec: VolumeSpec, _ backend: EphemeralOwner) async throws -> Volume? {
    guard let existing = try await (backend as any StorageBackend).volume(named: spec.name) else { return nil }
    if let difference = existing.difference(from: spec, defaultFilesystem: backend.defaultFilesystem) {
      throw StorageError.incompatible("the volume exists with another \(difference)")
    }
    return existing
  }

  private func mountEphemeral(_ volume: Volume, _ order: PublishOrder, _ backend: EphemeralOwner) async throws {
    let id = registry.id(volume.id, of: backend)
    // Written once, by mkfs: the volume itself is always writable, its target perhaps not.
    let source = try await connect(id, NodeConnection(secrets: order.secrets)) {
      $0.mount(at: order.target) != nil
    }
    let presence = try Presence(of: source)
    let existing = presence.mounts.map {
      Publication(target: $0.mountPoint, type: .mount, isReadOnly: $0.options.contains("ro"), filesystem: $0.type)
    }
    let decision = try PublishDecision.decide(order.publication, mode: .singleNodeSingleWriter, existing: existing)
    guard decision == .publish else { return }
    guard !presence.isMountPoint(order.target) else {
      throw StorageError.incompatible("something else is mounted at target_path")
    }
    guard case .block(let device) = source, let mount = order.capability.mount else {
      throw StorageError.invalid("ephemeral volumes are file systems on devices")
    }
    try HostPath.createDirectory(order.target)
    CrashPoint.publishTargetMade.reached()
    let flags = mount.flags + (order.isReadOnly && !mount.asksReadOnly ? ["ro"] : [])
    try await mountVolume(
      id, MountCapability(filesystem: mount.filesystem, flags: flags, group: order.isReadOnly ? nil : mount.group),
      device, at: order.target, readOnly: false, registry.backend(of: id))
    CrashPoint.publishAfterBind.reached()
  }

  /// The ephemeral volume that the CO calls `volumeID` and the backend that made it, or nil when it is none.
  func ephemeral(_ volumeID: String) async throws -> (owner: EphemeralOwner, volume: Volume)? {
    for case let backend as EphemeralOwner in registry.all {
      if let volume = try await (backend as any StorageBackend).volume(named: volumeID), volume.isEphemeral {
        return (backend, volume)
      }
    }
    return nil
  }

  /// The volume that a call on this node means: the CO knows ephemeral ones by the name that it gave them only.
  func id(ofVolume volumeID: String) async throws -> QualifiedID {
    if let (owner, volume) = try await ephemeral(volumeID) { return registry.id(volume.id, of: owner) }
    return registry.parse(volumeID)
  }

  /// - Throws: `.precondition` when the volume is mounted at another target: that one must go first.
  func unpublishEphemeral(
    _ volumeID: String, _ backend: EphemeralOwner, _ target: String, _ request: NodeUnpublishVolumeRequest
  ) async throws -> NodeUnpublishVolumeResponse {
    try await gate.run(exclusive: keys(volumeID, backend) + [.path(target)], request: request) {
      let volume = try await (backend as any StorageBackend).volume(named: volumeID)
      if let volume { try await unmount(target, of: registry.id(volume.id, of: backend)) }
      CrashPoint.unpublishAfterUnmount.reached()
      if let volume, volume.isEphemeral {
        try await disconnect(registry.id(volume.id, of: backend))
        CrashPoint.unpublishEphemeralDisconnected.reached()
        try await backend.deleteVolume(volume.id, secrets: .none)
      }
      try HostPath.removeMountPoint(target)
      CrashPoint.unpublishTargetRemoved.reached()
      return NodeUnpublishVolumeResponse()
    }
  }

  private func keys(_ volumeID: String, _ backend: EphemeralOwner) -> [OperationKey] {
    let derived = (backend as any StorageBackend).volumeID(forName: volumeID).map { registry.id($0, of: backend) }
    return [.volumeName(volumeID)] + (derived.map { [.volume($0), .nodeVolume($0)] } ?? [])
  }
}
