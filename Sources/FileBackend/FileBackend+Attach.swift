import Storage

extension FileBackend: LocallyAttachableBackend {
  package var localNode: NodeID { configuration.nodeID }

  package func attachment(of id: NativeID) async throws -> LocalAttachment? { try existing(id).attachment }

  package func setAttachment(_ attachment: LocalAttachment?, of id: NativeID) async throws {
    var record = try existing(id)
    record.attachment = attachment
    try update(record)
  }
}
