import Host
import Storage

/// What one look at all volumes found.
struct RecentConditions: Sendable {
  let taken: ContinuousClock.Instant
  /// Volumes that are not here were healthy.
  var abnormal: [NativeID: VolumeCondition]
}

/// What the volumes' conditions have in common.
private struct HostView: Sendable {
  let space: Disk.Space
  /// Errors that the ext4 file systems on devices have met since they were made, where there were any; by path.
  let errors: [String: Int]

  init(_ disk: Disk, root: String) throws {
    space = try disk.space(at: root)
    // The directory exists only while the kernel has ext4.
    let mounted = (try? Directory.names(in: "/sys/fs/ext4")) ?? []
    var errors: [String: Int] = [:]
    for name in mounted {
      guard let count = FileContents.line("/sys/fs/ext4/\(name)/errors_count").flatMap({ Int($0) }), count > 0
      else { continue }
      errors["/dev/\(name)"] = count
    }
    self.errors = errors
  }
}

extension FileBackend: HealthReportingBackend {
  /// Looks at the backing file, the host's file system and the connected device. At most two seconds.
  package func condition(of id: NativeID) async throws -> VolumeCondition {
    let record = try existing(id)
    do {
      return try await withTimeLimit(.seconds(2), "looking at \(layout.root)") { [self] in
        try condition(of: record, HostView(disk, root: layout.root))
      }
    } catch StorageError.unavailable(let message) {
      return Self.notResponding(message)
    }
  }

  /// As `condition`, at most five seconds old.
  package func recentCondition(of id: NativeID) async throws -> VolumeCondition {
    _ = try existing(id)
    let recent = recentConditions.withLock { $0 }
    if let recent, .now - recent.taken < .seconds(5) { return recent.abnormal[id] ?? .healthy }
    do {
      let fresh = try await withTimeLimit(.seconds(2), "looking at all of \(layout.root)") { [self] in try look() }
      recentConditions.withLock { $0 = fresh }
      return fresh.abnormal[id] ?? .healthy
    } catch StorageError.unavailable(let message) {
      return Self.notResponding(message)
    }
  }

  private static func notResponding(_ message: String) -> VolumeCondition {
    VolumeCondition(problems: [.init(.inaccessible, reason: "HostFilesystemNotResponding", message: message)])
  }

  private func look() throws -> RecentConditions {
    let taken = ContinuousClock.now
    let host = try HostView(disk, root: layout.root)
    var abnormal: [NativeID: VolumeCondition] = [:]
    for record in try catalogue({ Array($0.volumes.values) }) {
      let condition = try condition(of: record, host)
      if condition.isAbnormal { abnormal[record.id] = condition }
    }
    return RecentConditions(taken: taken, abnormal: abnormal)
  }

  private func condition(of record: VolumeRecord, _ host: HostView) throws -> VolumeCondition {
    let usage = try disk.usage(of: layout.data(ofVolume: record.id))
    var problems: [VolumeCondition.Problem] = []
    if let problem = fileProblem(record, usage) { problems.append(problem) }
    if let problem = spaceProblem(record, usage, host.space) { problems.append(problem) }
    if let problem = try deviceProblem(record, host.errors) { problems.append(problem) }
    return VolumeCondition(problems: problems)
  }

  private func fileProblem(
    _ record: VolumeRecord, _ usage: (size: ByteCount, allocated: ByteCount)?
  ) -> VolumeCondition.Problem? {
    guard let usage else {
      return .init(.dataLoss, reason: "BackingFileMissing", message: "the volume's file is gone")
    }
    let sizes = "the volume's file has \(usage.size.bytes) bytes instead of \(record.capacity.bytes)"
    if usage.size < record.capacity { return .init(.dataLoss, reason: "BackingFileTruncated", message: sizes) }
    if usage.size > record.capacity { return .init(.degraded, reason: "BackingFileTooLong", message: sizes) }
    return nil
  }

  private func spaceProblem(
    _ record: VolumeRecord, _ usage: (size: ByteCount, allocated: ByteCount)?, _ space: Disk.Space
  ) -> VolumeCondition.Problem? {
    if space.isReadOnly {
      return .init(.inaccessible, reason: "HostFilesystemReadOnly", message: "the host's file system is read-only")
    }
    // A volume that has all its blocks writes on in a full file system.
    guard let usage, usage.allocated < record.capacity else { return nil }
    if space.available.bytes < Self.sizeUnit {
      return .init(.degraded, reason: "HostFilesystemFull", message: "the host's file system is full: writes fail")
    }
    if space.available.bytes < space.total.bytes / 20 {
      let left = "the host's file system has \(space.available.bytes) of \(space.total.bytes) bytes left"
      return .init(.degraded, reason: "HostFilesystemNearlyFull", message: left)
    }
    return nil
  }

  private func deviceProblem(_ record: VolumeRecord, _ errors: [String: Int]) throws -> VolumeCondition.Problem? {
    guard !errors.isEmpty else { return nil }
    let devices = try LoopDevice.attached(to: layout.data(ofVolume: record.id))
    let own = try devices.compactMap { errors[try BlockDevice.top(of: $0.path)] }.reduce(0, +)
    guard own > 0 else { return nil }
    return .init(.degraded, reason: "FilesystemErrors", message: "the file system has met \(own) errors")
  }
}
