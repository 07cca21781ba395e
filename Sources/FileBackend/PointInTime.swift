import Host
import Storage

/// One volume's part in a copy at one point in time: its data goes to `directory/data`.
struct Cut: Sendable {
  let volume: VolumeRecord
  /// Does not exist yet.
  let directory: String
}

extension FileBackend {
  /// Copies all volumes at one point in time into directories below `work`, which is made anew; nothing is durable yet.
  ///
  /// Mounted file systems are frozen for as long as the copy takes: instants where blocks are shared, else the time to
  /// copy the data. One volume whose blocks are shared needs no watch: FICLONE is atomic.
  /// - Parameter frozen: called when everything holds still.
  /// - Returns: the point in time.
  /// - Throws: `.precondition` when a raw device was written to during every attempt; `work` may be left behind.
  func cut(_ cuts: [Cut], under work: String, frozen: () -> Void) async throws -> Timestamp {
    let created = try await PointInTime.cut(
      executable: configuration.executable, watching: cuts.count > 1 || !sharesBlocks
    ) {
      // What an earlier attempt left goes while nothing waits for it.
      try disk.removeTree(work)
      return try cuts.flatMap {
        try LoopDevice.attached(to: layout.data(ofVolume: $0.volume.id), readOnly: false).map(\.path)
      }
    } body: {
      frozen()
      return try await copy(cuts, under: work)
    }
    guard let created else {
      throw StorageError.precondition(
        "the volume is being written to as a raw device, which cannot be frozen; stop writing or use xfs or btrfs")
    }
    return created
  }

  private func copy(_ cuts: [Cut], under work: String) async throws -> Timestamp {
    try disk.makeDirectory(work)
    for cut in cuts where cut.directory != work { try disk.makeDirectory(cut.directory) }
    let created = Timestamp.now
    let copies = cuts.map {
      DataCopy(
        from: layout.data(ofVolume: $0.volume.id), size: $0.volume.capacity, to: $0.directory + "/data")
    }
    let sharing = sharesBlocks
    try await OwnThread.run("copy") { [disk] in
      for copy in copies { try copy.run(disk, sharing: sharing) }
    }
    return created
  }
}
