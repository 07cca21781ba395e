import Storage

extension LVMBackend: LocallyAttachableBackend {
  package var localNode: NodeID { configuration.nodeID }

  package func attachment(of id: NativeID) async throws -> LocalAttachment? { try await existing(id).attachment }

  package func setAttachment(_ attachment: LocalAttachment?, of id: NativeID) async throws {
    let record = try await existing(id)
    var changed = record
    changed.attachment = attachment
    try await update(record, to: changed)
  }
}
