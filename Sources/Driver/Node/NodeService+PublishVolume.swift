import CSI
import Host
import Storage

extension NodeService {
  /// NodePublishVolume: shows a staged volume at the target path; makes inline ephemeral volumes on the way.
  func nodePublishVolume(_ request: NodePublishVolumeRequest) async throws -> NodePublishVolumeResponse {
    let order = try PublishOrder(validating: request, configuration)
    if order.isEphemeral { return try await publishEphemeral(order, request) }
    let id = registry.parse(order.volumeID)
    return try await gate.run(
      exclusive: [.nodeVolume(id), .path(order.target)], shared: [.volume(id)], request: request
    ) {
      let presence = try await stagedPresence(of: id, order)
      let isNew =
        switch order.capability.access {
        case .mount: try publishFilesystem(order, presence)
        case .block: try publishDevice(order, presence)
        }
      CrashPoint.publishBeforeLimits.reached()
      do {
        try await limiter.limit(id, at: order.target)
      } catch {
        // What was published before may be in use.
        if isNew { try? await unpublish(id, order.target) }
        throw error
      }
      return NodePublishVolumeResponse()
    }
  }

  /// - Throws: `.notFound` for an unknown volume, `.precondition` when it is not staged where the request says.
  private func stagedPresence(of id: QualifiedID, _ order: PublishOrder) async throws -> Presence {
    guard let staging = order.staging else {
      _ = try await registry.volume(id)
      throw StorageError.precondition("staging_target_path is required: volumes are staged first")
    }
    let presence = try await presence(of: id)
    let isStaged =
      switch order.capability.access {
      case .mount: presence.mount(at: staging) != nil
      case .block: try presence.deviceBind(at: Self.devicePath(staging: staging)) != nil
      }
    guard isStaged else { throw StorageError.precondition("volume \(id) is not staged at staging_target_path") }
    return presence
  }

  /// - Returns: false when it was there already.
  private func publishFilesystem(_ order: PublishOrder, _ presence: Presence) throws -> Bool {
    guard let staging = order.staging else { return false }
    let existing = presence.mounts.filter { $0.mountPoint != staging }.map {
      Publication(target: $0.mountPoint, type: .mount, isReadOnly: $0.options.contains("ro"), filesystem: $0.type)
    }
    guard try isWanted(order, existing, presence) else { return false }
    if let staged = presence.mount(at: staging), staged.options.contains("ro"), !order.isReadOnly {
      throw StorageError.precondition("the volume is staged read-only")
    }
    try HostPath.createDirectory(order.target)
    CrashPoint.publishTargetMade.reached()
    try Mount.bind(staging, at: order.target, readOnly: order.isReadOnly)
    CrashPoint.publishAfterBind.reached()
    return true
  }

  /// - Returns: false when it was there already.
  private func publishDevice(_ order: PublishOrder, _ presence: Presence) throws -> Bool {
    guard let staging = order.staging, case .block(let device) = presence.source else { return false }
    let existing = try presence.deviceBinds().filter { $0.path != Self.devicePath(staging: staging) }.map {
      Publication(target: $0.path, type: .block, isReadOnly: $0.isReadOnly)
    }
    guard try isWanted(order, existing, presence) else { return false }
    try HostPath.createFile(order.target)
    CrashPoint.publishTargetMade.reached()
    // A read-only bind mount does not keep anybody from writing to a device; a read-only device does.
    let shown = order.isReadOnly ? try readOnlyLoop(over: device).path : device
    CrashPoint.publishLoopAttached.reached()
    try Mount.bind(shown, at: order.target, readOnly: false)
    CrashPoint.publishAfterBind.reached()
    return true
  }

  /// - Returns: false when the volume is published as wanted.
  private func isWanted(_ order: PublishOrder, _ existing: [Publication], _ presence: Presence) throws -> Bool {
    let decision = try PublishDecision.decide(order.publication, mode: order.capability.mode, existing: existing)
    guard decision == .publish else { return false }
    guard !presence.isMountPoint(order.target) else {
      throw StorageError.incompatible("something else is mounted at target_path")
    }
    return true
  }

  private func readOnlyLoop(over device: String) throws -> LoopDevice {
    try LoopDevice.attached(to: device, readOnly: true).first ?? LoopDevice.attach(device, readOnly: true)
  }
}
