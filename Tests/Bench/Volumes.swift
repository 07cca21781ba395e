import ArgumentParser
import CSI
import Glibc

private let volumeSize: Int64 = 16 << 20
/// Small: ten thousand of them must fit into what the disk may promise.
private let fillerSize: Int64 = 1 << 20

/// Volumes that are merely present.
struct Fill: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "fill", abstract: "Makes volumes and leaves them there.")
  @OptionGroup var target: Target
  @Option var count = 1000
  @Option var concurrency = 8

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    let (concurrency, count) = (concurrency, count)
    let samples = try await repeated(.times((count + concurrency - 1) / concurrency), concurrency: concurrency) {
      task, run in
      let number = run * concurrency + task
      if number < count { _ = try await socket.create("filler-\(number)", size: fillerSize) }
    }
    socket.close()
    report(samples.json("create"))
  }
}

/// Volumes that come and go.
struct Churn: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "churn", abstract: "Makes and deletes a volume, repeatedly.")
  @OptionGroup var target: Target
  @Option var seconds = 1.5
  @Option var concurrency = 1

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    let samples = try await repeated(.seconds(seconds), concurrency: concurrency) { task, run in
      let volume = try await socket.create("churn-\(task)-\(run)", size: volumeSize)
      try await socket.delete(volume)
    }
    socket.close()
    report(samples.json("pair"))
  }
}

/// Everything listed, page after page.
struct Listing: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists all volumes, repeatedly.")
  @OptionGroup var target: Target
  @Option var seconds = 1.5

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    var entries = 0
    var token = ""
    repeat {
      let page = try await socket.call(Methods.listVolumes, ListVolumesRequest(startingToken: token))
      entries += page.entries.count
      token = page.nextToken
    } while !token.isEmpty
    let samples = try await repeated(.seconds(seconds), concurrency: 1) { _, _ in
      _ = try await socket.call(Methods.listVolumes, ListVolumesRequest())
    }
    socket.close()
    report("\"entries\": \(entries)", samples.json("list"))
  }
}

/// A volume's way to a pod and back, after its first formatting.
struct NodeCycle: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "Stages, publishes, unpublishes and unstages one ext4 volume, repeatedly.")
  @OptionGroup var target: Target
  @Option(help: "A directory for the staging and target paths.") var directory: String
  @Option var rounds = 50

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    let cycle = Cycle(socket: socket, volume: try await socket.create("cycle", size: volumeSize), directory: directory)
    mkdir(cycle.staging, 0o750)
    try await cycle.run(into: nil)
    let samples = PhaseSamples()
    for _ in 0..<rounds { try await cycle.run(into: samples) }
    try await socket.delete(cycle.volume)
    rmdir(cycle.staging)
    socket.close()
    report(
      samples.whole.json("cycle"), samples.stage.json("stage"), samples.publish.json("publish"),
      samples.unpublish.json("unpublish"), samples.unstage.json("unstage"))
  }
}

private final class PhaseSamples {
  var whole = Samples()
  var stage = Samples()
  var publish = Samples()
  var unpublish = Samples()
  var unstage = Samples()
}

private struct Cycle {
  let socket: CSISocket
  let volume: String
  let directory: String
  var staging: String { directory + "/staging" }
  var mountPoint: String { directory + "/target" }

  func run(into samples: PhaseSamples?) async throws {
    let clock = ContinuousClock()
    let begun = clock.now
    _ = try await socket.call(
      Methods.nodeStageVolume,
      NodeStageVolumeRequest(volumeID: volume, stagingTargetPath: staging, volumeCapability: .ext4))
    let staged = clock.now
    _ = try await socket.call(
      Methods.nodePublishVolume,
      NodePublishVolumeRequest(
        volumeID: volume, stagingTargetPath: staging, targetPath: mountPoint, volumeCapability: .ext4))
    let published = clock.now
    _ = try await socket.call(
      Methods.nodeUnpublishVolume, NodeUnpublishVolumeRequest(volumeID: volume, targetPath: mountPoint))
    let unpublished = clock.now
    _ = try await socket.call(
      Methods.nodeUnstageVolume, NodeUnstageVolumeRequest(volumeID: volume, stagingTargetPath: staging))
    let unstaged = clock.now
    samples?.stage.add(staged - begun)
    samples?.publish.add(published - staged)
    samples?.unpublish.add(unpublished - published)
    samples?.unstage.add(unstaged - unpublished)
    samples?.whole.add(unstaged - begun)
  }
}

/// Snapshots and clones of a volume with data in it.
struct Copies: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copies", abstract: "Snapshots and clones one volume of 128 MiB that holds data, repeatedly.")
  @OptionGroup var target: Target
  @Option(help: "A directory for the staging and target paths.") var directory: String
  @Option(help: "MiB of data in the volume.") var data = 64
  @Option var rounds = 20

  func run() async throws {
    let socket = try CSISocket(target.endpoint)
    let volume = try await socket.create("copied", size: 128 << 20)
    try await writeData(to: volume, socket)
    let snapshots = try await repeated(.times(rounds), concurrency: 1) { _, run in
      let answer = try await socket.call(
        Methods.createSnapshot, CreateSnapshotRequest(sourceVolumeID: volume, name: "snapshot-\(run)"))
      guard answer.snapshot?.readyToUse == true else { throw BenchError(description: "the snapshot is not ready") }
    }
    let clones = try await repeated(.times(rounds), concurrency: 1) { _, run in
      _ = try await socket.create(
        "clone-\(run)", size: 128 << 20,
        source: VolumeContentSource(type: .volume(.init(volumeID: volume))))
    }
    socket.close()
    report(snapshots.json("snapshot"), clones.json("clone"))
  }

  private func writeData(to volume: String, _ socket: CSISocket) async throws {
    let staging = directory + "/staging"
    mkdir(staging, 0o750)
    _ = try await socket.call(
      Methods.nodeStageVolume,
      NodeStageVolumeRequest(volumeID: volume, stagingTargetPath: staging, volumeCapability: .ext4))
    let descriptor = open(staging + "/data", O_CREAT | O_WRONLY, 0o600)
    guard descriptor >= 0 else { throw BenchError(description: "cannot write to \(staging)") }
    let block = [UInt8](repeating: 0xA5, count: 1 << 20)
    for _ in 0..<data where write(descriptor, block, block.count) != block.count {
      throw BenchError(description: "cannot fill the volume")
    }
    fsync(descriptor)
    close(descriptor)
    _ = try await socket.call(
      Methods.nodeUnstageVolume, NodeUnstageVolumeRequest(volumeID: volume, stagingTargetPath: staging))
    rmdir(staging)
  }
}
