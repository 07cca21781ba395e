import Host
import Storage

extension LVMBackend: HealthReportingBackend {
  /// Looks at what the cache knows of the volume group and asks the kernel; no LVM command, unless the cache is stale.
  package func condition(of id: NativeID) async throws -> VolumeCondition {
    try await condition(of: id, isRecent: false)
  }

  /// As `condition`; what the kernel says of the pool is at most five seconds old.
  package func recentCondition(of id: NativeID) async throws -> VolumeCondition {
    try await condition(of: id, isRecent: true)
  }

  private func condition(of id: NativeID, isRecent: Bool) async throws -> VolumeCondition {
    try checkPrepared()
    let record: VolumeRecord
    let group: VolumeGroup
    do {
      record = try await existing(id)
      group = try await lvm.group(record.path.group)
    } catch let error as StorageError where error.isOfTheGroup && LocalID(parsing: id, as: .volume) != nil {
      // The group's disks are gone or LVM does not answer: whether the volume is there nobody knows.
      return VolumeCondition(
        problems: [.init(.inaccessible, reason: "VolumeGroupNotReadable", message: "\(error)".shortened)])
    }
    guard let volume = group.volumes[record.path.name] else {
      throw StorageError.notFound("there is no volume \(id.shortened)")
    }
    var problems = volumeProblems(volume, in: group)
    if let pool = volume.poolName {
      let path = LVPath(group.name, pool)
      problems += poolProblems(try poolStatus(path, isRecent: isRecent), PoolPromise(pool, in: group))
    }
    problems += try await deviceProblems(record.path)
    return VolumeCondition(problems: problems.uniqued)
  }

  /// The kernel's view of a pool, for lists at most five seconds old.
  private func poolStatus(_ pool: LVPath, isRecent: Bool) throws -> DeviceMapper.PoolStatus? {
    let now = ContinuousClock.now
    if isRecent, let known = recentPools.withLock({ $0[pool] }), now - known.taken < .seconds(5) { return known.status }
    let status = try DeviceMapper.poolStatus(pool)
    recentPools.withLock { $0[pool] = RecentPool(taken: now, status: status) }
    return status
  }

  // MARK: what LVM says

  private func volumeProblems(_ volume: LogicalVolume, in group: VolumeGroup) -> [VolumeCondition.Problem] {
    var problems = Self.healthProblems(volume)
    if let name = volume.poolName, let pool = group.volumes[name] {
      problems += Self.healthProblems(pool)
      for part in ["_tdata", "_tmeta"] { problems += group.volumes[name + part].map(Self.healthProblems) ?? [] }
    }
    return problems
  }

  /// - Parameter volume: a volume, or what one is made of.
  static func healthProblems(_ volume: LogicalVolume) -> [VolumeCondition.Problem] {
    switch volume.health {
    case "": []
    case "partial" where volume.layout == .raid:
      [.init(.degraded, reason: "CopyMissing", message: "a disk with a copy of the volume is missing")]
    case "partial":
      [.init(.inaccessible, reason: "DiskMissing", message: "a disk that holds a part of \(volume.name) is missing")]
    case "refresh needed":
      [.init(.degraded, reason: "RefreshNeeded", message: "\(volume.name) had errors: lvchange --refresh")]
    case "mismatches exist":
      [.init(.degraded, reason: "CopiesDiffer", message: "the copies of \(volume.name) differ")]
    case "failed":
      [.init(.inaccessible, reason: "PoolFailed", message: "\(volume.name) has failed and needs repair")]
    // The kernel tells these of a pool, newer and with numbers.
    case "out_of_data", "metadata_read_only": []
    default:
      [.init(.degraded, reason: "VolumeUnhealthy", message: "LVM finds \(volume.name) as \(volume.health)".shortened)]
    }
  }

  // MARK: what the kernel says

  /// A file system that has met errors; a device that stays suspended.
  private func deviceProblems(_ path: LVPath) async throws -> [VolumeCondition.Problem] {
    guard var info = try DeviceMapper.info(path) else { return [] }
    var problems: [VolumeCondition.Problem] = []
    if info.isSuspended {
      // LVM suspends devices for moments.
      try await Task.sleep(for: .milliseconds(300))
      guard let second = try DeviceMapper.info(path) else { return [] }
      info = second
      if info.isSuspended {
        problems.append(
          .init(.inaccessible, reason: "DeviceSuspended", message: "the device is suspended: reads and writes wait"))
      }
    }
    let number = "\(info.major):\(info.minor)"
    let holders = (try? Directory.names(in: "/sys/dev/block/\(number)/holders")) ?? []
    let errors = (["dm-\(info.minor)"] + holders).compactMap {
      FileContents.line("/sys/fs/ext4/\($0)/errors_count").flatMap { Int($0) }
    }.reduce(0, +)
    if errors > 0 {
      problems.append(
        .init(.degraded, reason: "FilesystemErrors", message: "the file system has met \(errors) errors"))
    }
    return problems
  }
}

/// What the kernel said of a pool at some time.
struct RecentPool: Sendable {
  let taken: ContinuousClock.Instant
  let status: DeviceMapper.PoolStatus?
}

/// How much of a pool could still be asked for.
struct PoolPromise: Hashable, Sendable {
  let name: String
  /// The sizes of all thin volumes and snapshots, in bytes.
  let promised: ByteCount

  init(name: String, promised: ByteCount) {
    self.name = name
    self.promised = promised
  }

  init(_ pool: String, in group: VolumeGroup) {
    self.init(
      name: pool,
      promised: group.volumes.values.reduce(.zero) { $1.poolName == pool ? $0 + $1.size : $0 })
  }
}

/// The problems of every volume in a pool.
/// - Parameter status: nil: the pool is not active.
func poolProblems(_ status: DeviceMapper.PoolStatus?, _ pool: PoolPromise) -> [VolumeCondition.Problem] {
  guard let status else {
    return [.init(.inaccessible, reason: "PoolNotActive", message: "the pool \(pool.name) is not active")]
  }
  var problems: [VolumeCondition.Problem] = []
  func add(_ severity: VolumeCondition.Severity, _ reason: String, _ message: String) {
    problems.append(.init(severity, reason: reason, message: "the pool \(pool.name) \(message)"))
  }
  switch status.mode {
  case .failed:
    add(.inaccessible, "PoolFailed", "has failed and needs repair")
    return problems
  case .readOnly: add(.inaccessible, "PoolReadOnly", "is read-only: writes fail")
  case .outOfDataSpace, .writable: break
  }
  if status.needsCheck { add(.degraded, "PoolNeedsCheck", "needs a check of its metadata") }
  if status.mode == .outOfDataSpace || status.usedData >= status.totalData, status.totalData > .zero {
    add(.degraded, "PoolFull", "is full: writes to new blocks wait or fail")
  } else if status.dataPercent >= 80, pool.promised > status.totalData {
    // Where no more is promised than there is, every volume gets what it was promised.
    add(.degraded, "PoolNearlyFull", "is used to \(status.dataPercent) % and more is promised than it has")
  }
  if status.totalMetadata > .zero, status.usedMetadata >= status.totalMetadata || status.metadataPercent >= 99 {
    add(.degraded, "PoolMetadataFull", "has no space for metadata: writes fail")
  } else if status.metadataPercent >= 75 {
    add(.degraded, "PoolMetadataNearlyFull", "has metadata used to \(status.metadataPercent) %: no snapshots are cut")
  }
  return problems
}

extension StorageError {
  /// Whether it tells of a group as a whole rather than of the object asked for.
  fileprivate var isOfTheGroup: Bool {
    switch self {
    case .unavailable, .precondition, .failed: true
    default: false
    }
  }
}

extension String {
  /// For messages that hold what others wrote.
  fileprivate var shortened: String { String(prefix(300)) }
}

extension [VolumeCondition.Problem] {
  /// At most one of each severity and reason: a volume and its pool may have the same.
  fileprivate var uniqued: Self {
    var seen: Set<String> = []
    return filter { seen.insert("\($0.severity) \($0.reason)").inserted }
  }
}
