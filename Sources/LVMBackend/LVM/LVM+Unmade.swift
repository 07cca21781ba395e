import Storage

// LVM writes a new thin volume down, with the message for its pool, before it sends the message. Killed in between, it
// leaves a volume that all reports show and that the pool knows nothing of; the next change of anything in the pool
// sends the message. A snapshot would then be cut long after it was asked for, and without its origin being suspended,
// as the kernel wants it (Documentation/admin-guide/device-mapper/thin-provisioning.rst, "create_snap").
extension LVM {
  /// Our volumes whose message the kernel has not got: the pool's transaction is the one that they were written down in,
  /// and LVM's is the next. None of them was ever told of, for a command that was answered has sent its message.
  func unmade(in group: VolumeGroup) -> [LogicalVolume] {
    guard let tag = settings.ownTag else { return [] }
    let pools = group.volumes.values.compactMap { volume in
      volume.pool.map { (name: volume.name, transaction: $0.transactionID) }
    }
    return pools.flatMap { pool -> [LogicalVolume] in
      // An inactive pool gets its messages when it is activated, and nobody writes to its volumes before that.
      guard let status = try? DeviceMapper.poolStatus(LVPath(group.name, pool.name)), status.mode != .failed,
        status.transactionID + 1 == pool.transaction
      else { return [] }
      return group.volumes.values.filter {
        $0.layout == .thin && $0.poolName == pool.name && $0.transactionID == status.transactionID
          && $0.tags.contains(tag) && isInactive(LVPath(group.name, $0.name))
      }
    }
  }

  private func isInactive(_ path: LVPath) -> Bool { (try? DeviceMapper.info(path)) == .some(nil) }

  /// Where the pool has got the message and its transaction was not counted up yet, LVM sends the message again, is told
  /// that there is such a device, and works on that pool no more. So what the message made goes first; it never was
  /// anybody's. The kernel refuses to delete a device in use.
  private func forget(_ volume: LogicalVolume, in group: VolumeGroup) {
    guard let pool = volume.poolName, let id = volume.thinID,
      group.volumes.values.count(where: { $0.poolName == pool && $0.thinID == id }) == 1
    else { return }
    // That there is none is as it should be.
    try? DeviceMapper.message("delete \(id)", toPool: LVPath(group.name, pool))
  }

  /// Removes those volumes, on the queue's thread: whoever asked for one asks again.
  /// - Returns: whether there were any.
  func removeUnmade(of group: VolumeGroup) -> Bool {
    let volumes = unmade(in: group)
    for volume in volumes {
      let path = LVPath(group.name, volume.name)
      logger.notice("removing a volume that was written down and never made", metadata: ["volume": "\(path)"])
      forget(volume, in: group)
      do {
        _ = try execute(.remove(path, groupUUID: group.uuid))
      } catch {
        logger.error("cannot remove it", metadata: ["volume": "\(path)", "error": "\(error)"])
      }
    }
    return !volumes.isEmpty
  }
}
