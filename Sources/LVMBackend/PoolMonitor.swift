import Logging
import Storage
import Synchronization

/// Looks at the thin pools every ten seconds, by ioctl alone, and grows those that are to be grown before they are full.
final class PoolMonitor: Sendable {
  /// A pool and when it is to grow.
  struct Watch: Hashable, Sendable {
    let pool: LVPath
    let extend: DeviceClass.AutoExtend
  }

  /// The sizes that a pool is to get.
  struct Growth: Hashable, Sendable {
    var data: ByteCount?
    var metadata: ByteCount?

    /// nil when the pool has enough, or its group has nothing to give.
    /// - Parameters:
    ///   - free: of the group, in bytes.
    ///   - extent: of the group, in bytes.
    static func plan(
      _ status: DeviceMapper.PoolStatus, _ extend: DeviceClass.AutoExtend, free: ByteCount, extent: ByteCount
    ) -> Growth? {
      var growth = Growth()
      var left = free.bytes / extent.bytes
      func taking(_ size: ByteCount) -> ByteCount? {
        let wanted = max(size.bytes / 100 * Int64(extend.step) / extent.bytes, 1)
        let extents = min(wanted, left)
        guard extents > 0 else { return nil }
        left -= extents
        return ByteCount((size.bytes + extent.bytes - 1) / extent.bytes * extent.bytes + extents * extent.bytes)
      }
      // Metadata first: without them nothing can be written at all.
      if isMetadataShort(status, extend) {
        growth.metadata = taking(status.totalMetadata).map { min($0, largestMetadata) }
      }
      if isDataShort(status, extend) { growth.data = taking(status.totalData) }
      return growth.data == nil && growth.metadata == nil ? nil : growth
    }

    static func isDataShort(_ status: DeviceMapper.PoolStatus, _ extend: DeviceClass.AutoExtend) -> Bool {
      status.dataPercent >= Int64(extend.threshold)
    }

    /// Copies are refused from 75 % on (see `checkPool`): growth must come before.
    static func isMetadataShort(_ status: DeviceMapper.PoolStatus, _ extend: DeviceClass.AutoExtend) -> Bool {
      status.metadataPercent >= min(Int64(extend.threshold), 70) && status.totalMetadata < largestMetadata
    }

    /// The kernel uses no more (DM_THIN_MAX_METADATA_BLOCKS_DEFAULT: 16 GiB but a bit), in whole extents of any size.
    static let largestMetadata = ByteCount.mib(15 << 10)
  }

  private let watches: [Watch]
  private let logger: Logger
  private let task = Mutex<Task<Void, Never>?>(nil)
  /// Pools that could not be grown, and were told of.
  private let stuck = Mutex<Set<LVPath>>([])
  private static let interval = Duration.seconds(10)

  init(_ classes: [DeviceClass], logger: Logger) {
    var watches: [LVPath: Watch] = [:]
    for one in classes {
      guard case .thin(let name) = one.layout, let extend = one.autoExtend else { continue }
      let pool = LVPath(one.volumeGroup, name)
      if watches[pool] == nil { watches[pool] = Watch(pool: pool, extend: extend) }
    }
    self.watches = watches.values.sorted { "\($0.pool)" < "\($1.pool)" }
    self.logger = logger
  }

  /// Begins to look, when there is anything to be grown. Repeatable.
  func start(_ lvm: LVM) {
    guard !watches.isEmpty else { return }
    task.withLock { task in
      guard task == nil else { return }
      task = Task { [self] in
        while !Task.isCancelled {
          await look(lvm)
          try? await Task.sleep(for: Self.interval)
        }
      }
    }
  }

  /// Ends it. A growth under way is LVM's, and whoever waits for LVM waits for it too.
  func stop() {
    task.withLock { task in
      task?.cancel()
      task = nil
    }
  }

  func look(_ lvm: LVM) async {
    for watch in watches {
      do {
        try await look(watch, lvm)
      } catch {
        complain(watch.pool, "\(error)")
      }
    }
  }

  private func look(_ watch: Watch, _ lvm: LVM) async throws {
    guard let status = try DeviceMapper.poolStatus(watch.pool), status.mode != .failed else { return }
    guard Growth.isDataShort(status, watch.extend) || Growth.isMetadataShort(status, watch.extend) else {
      stuck.withLock { _ = $0.remove(watch.pool) }
      return
    }
    let group = try await lvm.group(watch.pool.group)
    guard let growth = Growth.plan(status, watch.extend, free: group.free, extent: group.extentSize) else {
      complain(watch.pool, "the volume group \(group.name) has no free extents")
      return
    }
    try await lvm.extendPool(watch.pool, data: growth.data, metadata: growth.metadata)
    stuck.withLock { _ = $0.remove(watch.pool) }
    logger.notice(
      "grew a thin pool",
      metadata: [
        "pool": "\(watch.pool)", "data_bytes": "\((growth.data ?? status.totalData).bytes)",
        "metadata_bytes": "\((growth.metadata ?? status.totalMetadata).bytes)",
      ])
  }

  /// Once, until the pool has grown or needs it no more.
  private func complain(_ pool: LVPath, _ reason: String) {
    guard stuck.withLock({ $0.insert(pool).inserted }) else { return }
    logger.error("cannot grow a thin pool that is nearly full", metadata: ["pool": "\(pool)", "reason": "\(reason)"])
  }
}

extension LVMBackend: PoolReportingBackend {
  package func pools() async throws -> [PoolUsage] {
    try checkPrepared()
    return Set(configuration.classes.compactMap(\.poolPath)).sorted { "\($0)" < "\($1)" }.compactMap { pool in
      guard let status = try? DeviceMapper.poolStatus(pool), status.mode != .failed else { return nil }
      return PoolUsage(
        name: "\(pool)", usedData: status.usedData, totalData: status.totalData, usedMetadata: status.usedMetadata,
        totalMetadata: status.totalMetadata)
    }
  }
}

extension DeviceClass {
  /// nil for thick classes.
  var poolPath: LVPath? { if case .thin(let pool) = layout { LVPath(volumeGroup, pool) } else { nil } }
}
