import CSI
import Host
import Storage

extension NodeService {
  /// NodeStageVolume: connects the volume, makes or checks its file system and mounts it at the staging path; a raw
  /// block volume's device shows as the file `device` there.
  func nodeStageVolume(_ request: NodeStageVolumeRequest) async throws -> NodeStageVolumeResponse {
    let order = try StageOrder(validating: request, registry, configuration)
    return try await gate.run(
      exclusive: [.volume(order.id), .nodeVolume(order.id), .path(order.path)], request: request
    ) {
      let backend = registry.backend(of: order.id)
      do {
        let source = try await connect(order.id, order.connection) { try isStaged(order, $0) }
        CrashPoint.stageConnected.reached()
        let presence = try Presence(of: source)
        if try !isStaged(order, presence) {
          try await checkFit(order, backend)
          try await stage(order, source, backend)
        }
      } catch {
        // A final answer may be the last call of the CO: nothing stays connected that shows nowhere.
        try? await disconnect(order.id)
        throw error
      }
      return NodeStageVolumeResponse()
    }
  }

  /// - Throws: `.precondition` when the volume was not made for what is asked, or cannot be had so.
  private func checkFit(_ order: StageOrder, _ backend: any Backend) async throws {
    let capability = order.capability
    guard backend.accessModes(for: capability.type).contains(capability.mode) else {
      throw StorageError.precondition("\(capability.mode.rawValue) is not supported for this volume")
    }
    if let objection = try await backend.volume(order.id.native)?.content?.objection(to: capability) {
      throw StorageError.precondition(objection)
    }
  }

  /// - Throws: `.incompatible` when something else is staged there, or the volume otherwise.
  private func isStaged(_ order: StageOrder, _ presence: Presence) throws -> Bool {
    let device = Self.devicePath(staging: order.path)
    switch order.capability.access {
    case .mount(let mount):
      if let entry = presence.mount(at: order.path) {
        if let difference = entry.difference(from: mount, readOnly: order.isReadOnly) {
          throw StorageError.incompatible("the volume is staged there with \(difference)")
        }
        return true
      }
      if presence.isMountPoint(device) { throw StorageError.incompatible("the volume is staged there as a device") }
    case .block:
      if presence.mount(at: order.path) != nil {
        throw StorageError.incompatible("the volume is staged there as a file system")
      }
      if try presence.deviceBind(at: device) != nil { return true }
      if presence.isMountPoint(device) { throw StorageError.incompatible("another volume is staged there") }
    }
    if presence.isMountPoint(order.path) { throw StorageError.incompatible("something else is mounted there") }
    return false
  }

  private func stage(_ order: StageOrder, _ source: NodeSource, _ backend: any Backend) async throws {
    switch (order.capability.access, source) {
    case (.mount(let mount), .block(let device)):
      try await mountVolume(order.id, mount, device, at: order.path, readOnly: order.isReadOnly, backend)
    case (.mount(let mount), .filesystem(let remote, let type, let options)):
      let access = order.isReadOnly ? ["ro"] : []
      try Mount.filesystem(remote, at: order.path, type: type, options: options + mount.flags + access)
    case (.block, .block(let device)):
      try await stageDevice(order, device, backend)
    case (.block, .filesystem):
      throw StorageError.precondition("volume \(order.id) is a file system and cannot be used as a device")
    }
  }

  /// From now on the user's bytes may be anything: the volume is never formatted after this.
  private func stageDevice(_ order: StageOrder, _ device: String, _ backend: any Backend) async throws {
    switch try await backend.formatState(order.id.native) {
    case .unformatted, .encrypting, .formatting, .copied:
      try await backend.setFormatState(.formatted, for: order.id.native)
    case .formatted, .unrecorded: break
    }
    let file = Self.devicePath(staging: order.path)
    try HostPath.createFile(file)
    CrashPoint.stageDeviceFileMade.reached()
    try Mount.bind(device, at: file, readOnly: false)
    CrashPoint.stageAfterMount.reached()
  }
}
