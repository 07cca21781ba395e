import Storage

extension LVMBackend: AttachableBackend {
  package func attach(
    _ id: NativeID, to node: NodeID, capability: VolumeCapability, readOnly: Bool, secrets: Secrets
  ) async throws -> [String: String] {
    let record = try await existing(id)
    guard node == configuration.nodeID else {
      throw StorageError.notFound("volume \(id) can be reached from node \(configuration.nodeID) only")
    }
    guard accessModes(for: capability.type).contains(capability.mode) else {
      throw StorageError.invalid("\(capability.mode.rawValue) is impossible: volumes live on one node")
    }
    let wanted = NodeAttachment(node: node, capability: capability, readOnly: readOnly)
    if let present = record.attachment {
      guard present == wanted else {
        throw StorageError.incompatible("volume \(id) is attached to \(node) with another capability or readonly")
      }
    } else {
      var attached = record
      attached.attachment = wanted
      try await update(record, to: attached)
      CrashPoint.attachRecorded.reached()
    }
    return readOnly ? [Self.readOnlyKey: "true"] : [:]
  }

  package func detach(_ id: NativeID, from node: NodeID?, secrets: Secrets) async throws {
    guard let record = try await record(id), let attachment = record.attachment else { return }
    guard node == nil || node == attachment.node else { return }
    var detached = record
    detached.attachment = nil
    try await update(record, to: detached)
    CrashPoint.detachRecorded.reached()
  }

  /// In the publish context of volumes that are attached read-only.
  static let readOnlyKey = "readOnly"
}
