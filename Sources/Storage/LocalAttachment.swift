/// That a volume is attached to the one node that can reach it, as asked by ControllerPublishVolume.
package struct LocalAttachment: Hashable, Sendable {
  package let node: NodeID
  /// Names the capability without telling its mount flags, which may be sensitive.
  package let capability: String
  package let readOnly: Bool

  package init(node: NodeID, capability: String, readOnly: Bool) {
    self.node = node
    self.capability = capability
    self.readOnly = readOnly
  }

  package init(node: NodeID, capability: VolumeCapability, readOnly: Bool) {
    var text = "\(capability.type.rawValue) \(capability.mode.rawValue)"
    if let mount = capability.mount {
      text += " \(mount.filesystem?.rawValue ?? "-") \(mount.group.map(String.init) ?? "-")"
      text += " \(String(Self.digest(of: mount.flags), radix: 16))"
    }
    self.init(node: node, capability: text, readOnly: readOnly)
  }

  /// FNV-1a, 64 bits: the same in every process, unlike Swift's own hashes.
  private static func digest(of flags: [String]) -> UInt64 {
    flags.joined(separator: "\0").utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

/// A backend whose volumes live on the node that serves them: to attach one is to write down who asked for what.
package protocol LocallyAttachableBackend: AttachableBackend {
  var localNode: NodeID { get }

  /// - Throws: `.notFound`.
  func attachment(of id: NativeID) async throws -> LocalAttachment?

  /// Durable when it returns.
  func setAttachment(_ attachment: LocalAttachment?, of id: NativeID) async throws
}

extension LocallyAttachableBackend {
  package func attach(
    _ id: NativeID, to node: NodeID, capability: VolumeCapability, readOnly: Bool, secrets: Secrets
  ) async throws -> [String: String] {
    let present = try await attachment(of: id)
    guard node == localNode else {
      throw StorageError.notFound("volume \(id) can be reached from node \(localNode) only")
    }
    try checkAccessModes(of: [capability])
    let wanted = LocalAttachment(node: node, capability: capability, readOnly: readOnly)
    if let present {
      guard present == wanted else {
        throw StorageError.incompatible("volume \(id) is attached to \(node) with another capability or readonly")
      }
    } else {
      try await setAttachment(wanted, of: id)
      CrashPoint.attachRecorded.reached()
    }
    return readOnly ? [LocalAttachment.readOnlyKey: "true"] : [:]
  }

  package func detach(_ id: NativeID, from node: NodeID?, secrets: Secrets) async throws {
    guard try await volume(id) != nil, let present = try await attachment(of: id) else { return }
    guard node == nil || node == present.node else { return }
    try await setAttachment(nil, of: id)
    CrashPoint.detachRecorded.reached()
  }

  /// - Throws: `.invalid` for a mode that needs more than one node.
  package func checkAccessModes(of capabilities: [VolumeCapability]) throws {
    for capability in capabilities where !accessModes(for: capability.type).contains(capability.mode) {
      throw StorageError.invalid("\(capability.mode.rawValue) is impossible: volumes live on one node")
    }
  }
}

extension LocalAttachment {
  /// In the publish context of volumes that are attached read-only.
  package static let readOnlyKey = "readOnly"
}
