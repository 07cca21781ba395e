import Host
import Storage

extension FileBackend: HealthReportingBackend {
  /// Looks at the backing file, the host's file system and the connected device. At most two seconds.
  package func condition(of id: NativeID) async throws -> VolumeCondition {
    let record = try existing(id)
    do {
      return try await withTimeLimit(.seconds(2), "looking at \(layout.root)") { [self] in
        VolumeCondition(problems: try fileProblems(record) + spaceProblems(record) + deviceProblems(record))
      }
    } catch StorageError.unavailable(let message) {
      return VolumeCondition(problems: [.init(.inaccessible, reason: "HostFilesystemNotResponding", message: message)])
    }
  }

  private func fileProblems(_ record: VolumeRecord) throws -> [VolumeCondition.Problem] {
    guard let usage = try disk.usage(of: layout.data(ofVolume: record.id)) else {
      return [.init(.dataLoss, reason: "BackingFileMissing", message: "the volume's file is gone")]
    }
    let sizes = "the volume's file has \(usage.size.bytes) bytes instead of \(record.capacity.bytes)"
    if usage.size < record.capacity { return [.init(.dataLoss, reason: "BackingFileTruncated", message: sizes)] }
    if usage.size > record.capacity { return [.init(.degraded, reason: "BackingFileTooLong", message: sizes)] }
    return []
  }

  private func spaceProblems(_ record: VolumeRecord) throws -> [VolumeCondition.Problem] {
    let space = try disk.space(at: layout.root)
    if space.isReadOnly {
      return [
        .init(.inaccessible, reason: "HostFilesystemReadOnly", message: "the host's file system is read-only")
      ]
    }
    // A volume that has all its blocks writes on in a full file system.
    let usage = try disk.usage(of: layout.data(ofVolume: record.id))
    guard let usage, usage.allocated < record.capacity else { return [] }
    if space.available.bytes < Self.sizeUnit {
      return [.init(.degraded, reason: "HostFilesystemFull", message: "the host's file system is full: writes fail")]
    }
    if space.available.bytes < space.total.bytes / 20 {
      let left = "the host's file system has \(space.available.bytes) of \(space.total.bytes) bytes left"
      return [.init(.degraded, reason: "HostFilesystemNearlyFull", message: left)]
    }
    return []
  }

  /// Errors that the file system on the connected device has met (ext4 counts them).
  private func deviceProblems(_ record: VolumeRecord) throws -> [VolumeCondition.Problem] {
    let errors = try LoopDevice.attached(to: layout.data(ofVolume: record.id)).compactMap { device in
      FileContents.line("/sys/fs/ext4/loop\(device.number)/errors_count").flatMap { Int($0) }
    }.reduce(0, +)
    guard errors > 0 else { return [] }
    return [.init(.degraded, reason: "FilesystemErrors", message: "the file system has met \(errors) errors")]
  }
}
