import ArgumentParser
import CSI
import Glibc

/// What a node with local disks does all day, each kind of call timed by itself.
struct LocalVolumes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "local", abstract: "Makes, snapshots and deletes volumes and asks one for its statistics, repeatedly.")
  @OptionGroup var target: Target
  @Option(help: "A directory for the staging and target paths.") var directory: String
  @Option var rounds = 20
  @Option(help: "Bytes of each volume.") var size: Int64 = 32 << 20

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    let watched = try await socket.create("watched", size: size)
    let path = try await show(watched, socket)
    var creates = Samples()
    var snapshots = Samples()
    var statistics = Samples()
    var deletes = Samples()
    let clock = ContinuousClock()
    for round in 0..<rounds {
      let begun = clock.now
      let volume = try await socket.create("local-\(round)", size: size)
      let created = clock.now
      let snapshot = try await socket.call(
        Methods.createSnapshot, CreateSnapshotRequest(sourceVolumeID: volume, name: "local-\(round)"))
      let cut = clock.now
      _ = try await socket.call(
        Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: snapshot.snapshot?.snapshotID ?? ""))
      let beforeDelete = clock.now
      try await socket.delete(volume)
      let deleted = clock.now
      creates.add(created - begun)
      snapshots.add(cut - created)
      deletes.add(deleted - beforeDelete)
      for _ in 0..<5 {
        let asked = clock.now
        _ = try await socket.call(
          Methods.nodeGetVolumeStats, NodeGetVolumeStatsRequest(volumeID: watched, volumePath: path))
        statistics.add(clock.now - asked)
      }
    }
    try await hide(watched, socket)
    try await socket.delete(watched)
    socket.close()
    report(
      creates.json("create"), snapshots.json("snapshot"), deletes.json("delete"), statistics.json("stats"))
  }

  private func show(_ volume: String, _ socket: CSISocket) async throws -> String {
    let staging = directory + "/watched"
    mkdir(staging, 0o750)
    _ = try await socket.call(
      Methods.nodeStageVolume,
      NodeStageVolumeRequest(volumeID: volume, stagingTargetPath: staging, volumeCapability: .ext4))
    return staging
  }

  private func hide(_ volume: String, _ socket: CSISocket) async throws {
    let staging = directory + "/watched"
    _ = try await socket.call(
      Methods.nodeUnstageVolume, NodeUnstageVolumeRequest(volumeID: volume, stagingTargetPath: staging))
    rmdir(staging)
  }
}
