import Storage

extension FileBackend: AttachableBackend {
  package func attach(
    _ id: NativeID, to node: NodeID, capability: VolumeCapability, readOnly: Bool, secrets: Secrets
  ) async throws -> [String: String] {
    var record = try existing(id)
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
      record.attachment = wanted
      try update(record)
      CrashPoint.attachRecorded.reached()
    }
    return readOnly ? [Self.readOnlyKey: "true"] : [:]
  }

  package func detach(_ id: NativeID, from node: NodeID?, secrets: Secrets) async throws {
    guard var record = try record(id), let attachment = record.attachment else { return }
    guard node == nil || node == attachment.node else { return }
    record.attachment = nil
    try update(record)
    CrashPoint.detachRecorded.reached()
  }

  /// In the publish context of volumes that are attached read-only.
  static let readOnlyKey = "readOnly"
}
