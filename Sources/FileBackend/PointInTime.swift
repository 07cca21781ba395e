import Glibc
import Host
import Storage

/// One volume's part in a copy at one point in time: its data goes to `directory/data`.
struct Cut: Sendable {
  let volume: VolumeRecord
  /// Does not exist yet.
  let directory: String
}

/// Who can write to a set of volumes right now.
private struct Writers: Sendable {
  /// One mount point for each mounted file system: frozen, it writes nothing.
  var mountPoints: [String] = []
  /// Devices that cannot be frozen: raw block volumes, and file systems mounted where this process cannot see them.
  var devices: [LoopDevice] = []

  init(of files: [String]) throws {
    let mounts = try MountTable.read()
    for file in files {
      for device in try LoopDevice.attached(to: file, readOnly: false) {
        let top = try BlockDevice.top(of: device.path)
        let entries = mounts.entries(ofDevice: top).filter { !$0.superOptions.contains("ro") }
        // A mount point that is mounted over shows another file system than the one to freeze.
        if let visible = entries.first(where: { mounts.entries(at: $0.mountPoint).last?.id == $0.id }) {
          mountPoints.append(visible.mountPoint)
        } else {
          devices.append(device)
        }
      }
    }
  }
}

/// How much was written to a block device so far (Documentation/block/stat.rst).
private struct WriteCount: Equatable {
  let writes: Int64
  let discards: Int64
  let inFlight: Int64

  /// - Throws: `.precondition` when the kernel keeps no counts for this device.
  init(_ device: LoopDevice) throws {
    let sysfs = "/sys/block/loop\(device.number)"
    let counts = (FileContents.line(sysfs + "/stat") ?? "").split(separator: " ").compactMap { Int64($0) }
    let inFlight = (FileContents.line(sysfs + "/inflight") ?? "").split(separator: " ").compactMap { Int64($0) }
    guard counts.count > 11, inFlight.count == 2, FileContents.line(sysfs + "/queue/iostats") == "1" else {
      throw StorageError.precondition("\(device.path) is in use and its writes cannot be watched")
    }
    writes = counts[4]
    discards = counts[11]
    self.inFlight = inFlight[1]
  }
}

extension FileBackend {
  /// Copies all volumes at one point in time into directories below `work`, which is made anew; nothing is durable yet.
  ///
  /// Mounted file systems are frozen for as long as the copy takes (instants where blocks are shared, else the time to
  /// copy the data) and always thawed. Devices that cannot be frozen are flushed and watched: a copy during which one
  /// was written to is thrown away and tried again. One volume whose blocks are shared needs no watch: FICLONE is
  /// atomic.
  /// - Parameter frozen: called when everything holds still.
  /// - Returns: the point in time.
  /// - Throws: `.precondition` when a device was written to during every attempt; `work` may be left behind.
  func cut(_ cuts: [Cut], under work: String, frozen: () -> Void) async throws -> Timestamp {
    let watched = cuts.count > 1 || !sharesBlocks
    for _ in 1...3 {
      try disk.removeTree(work)
      let writers = try Writers(of: cuts.map { layout.data(ofVolume: $0.volume.id) })
      let freeze =
        writers.mountPoints.isEmpty
        ? nil : try await FreezeGuard.freeze(writers.mountPoints, executable: configuration.executable)
      let outcome: Result<Timestamp?, any Error>
      do {
        frozen()
        outcome = .success(try await copy(cuts, under: work, flushing: writers.devices, watching: watched))
      } catch {
        outcome = .failure(error)
      }
      do {
        try await freeze?.thaw()
      } catch {
        FreezeGuard.thawAll(writers.mountPoints)
        throw error
      }
      if let created = try outcome.get() { return created }
    }
    throw StorageError.precondition(
      "the volume is being written to as a raw device, which cannot be frozen; stop writing or use xfs or btrfs")
  }

  /// - Returns: nil when `watching` and one of `devices` was written to meanwhile.
  private func copy(
    _ cuts: [Cut], under work: String, flushing devices: [LoopDevice], watching: Bool
  ) async throws -> Timestamp? {
    try disk.makeDirectory(work)
    for cut in cuts where cut.directory != work { try disk.makeDirectory(cut.directory) }
    // Through whatever lies on top, first.
    for device in devices {
      let top = try BlockDevice.top(of: device.path)
      if top != device.path { try BlockDevice.flush(top) }
      try BlockDevice.flush(device.path)
    }
    let before = watching ? try devices.map(WriteCount.init) : []
    let created = Timestamp.now
    let copies = cuts.map {
      DataCopy(
        from: layout.data(ofVolume: $0.volume.id), size: $0.volume.capacity, to: $0.directory + "/data")
    }
    let sharing = sharesBlocks
    try await OwnThread.run("copy") { [disk] in
      for copy in copies { try copy.run(disk, sharing: sharing) }
    }
    let after = watching ? try devices.map(WriteCount.init) : []
    return before == after && after.allSatisfy { $0.inFlight == 0 } ? created : nil
  }
}

extension Timestamp {
  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
  }
}
