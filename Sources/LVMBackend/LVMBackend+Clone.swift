import Host
import Storage

extension LVMBackend: CloningBackend {
  /// Makes `record`'s volume begin as `origin`: a thin snapshot, made with all its tags at once, then grown to the size
  /// wanted. Until it has that size the volume does not exist for the CO; a repeat or `prepare` goes on.
  ///
  /// What the two have in common has been checked: the pool, the encryption, the sizes.
  /// - Throws: as `checkPool`, and what LVM says.
  func copy(_ origin: Origin, as record: VolumeRecord) async throws {
    guard let thin = try await thinOrigin(origin, record.id) else {
      throw StorageError.precondition("\(origin.path) is thick: only volumes in a thin pool can be copied")
    }
    try checkPool(thin.pool)
    CrashPoint.cloneBegun.reached()
    let made = try await cut(
      thin,
      NewLogicalVolume(
        record.path, size: origin.size, kind: .snapshot(of: origin.path.name),
        tags: record.tags(owner: configuration.name)))
    CrashPoint.cloneCopied.reached()
    guard made.size < record.wantedSize else { return }
    do {
      try await lvm.extend(record.path, to: record.wantedSize)
    } catch let error as StorageError {
      // No list has it. Where LVM does not answer, a repeat goes on.
      if !error.isTransient { try? await lvm.remove(record.path) }
      throw error
    }
  }
}
