import Host
import Storage

extension FileBackend {
  package func deleteVolume(_ id: NativeID, secrets: Secrets) async throws {
    guard let record = try record(id) else { return }
    if let attachment = record.attachment {
      throw StorageError.precondition("volume \(id) is attached to node \(attachment.node)")
    }
    let data = layout.data(ofVolume: id)
    let usage = try disk.usage(of: data)
    if let device = try LoopDevice.attached(to: data).first {
      throw StorageError.precondition("volume \(id) is in use as \(device.path)")
    }
    try vanish(layout.directory(ofVolume: id), of: id, in: layout.volumes) {
      try catalogue { catalogue in
        catalogue.volumes.remove(id)
        catalogue.ledger.provisioned = catalogue.ledger.provisioned - record.capacity
        let freed = min(usage?.allocated ?? .zero, record.capacity)
        catalogue.ledger.allocated = max(.zero, catalogue.ledger.allocated - freed)
      }
    }
  }

  /// Takes `place` away, durably, then calls `forget`, then gives its space back.
  func vanish(_ place: String, of id: NativeID, in parent: String, forget: () throws -> Void) throws {
    let grave = layout.unique(in: layout.trash, for: id)
    CrashPoint.deleteBeforeRename.reached()
    try disk.rename(place, to: grave)
    do {
      try disk.syncDirectory(parent)
    } catch {
      try? disk.rename(grave, to: place)
      throw error
    }
    CrashPoint.deleteAfterRename.reached()
    try forget()
    try disk.removeTree(grave)
  }
}
