import Host
import Logging
import Storage

extension LVM {
  private var lockPath: String { "\(settings.runtimeDirectory)/lvm-worker.lock" }
  private var systemDirectory: SystemDirectory { SystemDirectory(path: "\(settings.runtimeDirectory)/lvm") }

  /// Waits for the worker of an earlier life, starts one, reads all groups, resumes what was left suspended in those
  /// that are there. May be called again when it failed.
  /// - Throws: `.unavailable` when that worker does not end or a group is not there, `.precondition` when a group is
  ///   not the one that is configured.
  package func start() async throws {
    for name in settings.groups.keys { try LVMName.check(group: name) }
    do {
      try await prepareWorker()
    } catch let error as SystemCallError {
      throw error.storageError
    }
    do {
      try await queue.run("start") {
        self.state.withLock { $0.isStarted = true }
        try self.forEachGroup { try self.resume(self.refresh($0)) }
      }
    } catch let refusal as CommandQueue.Refusal {
      throw refusal.error
    }
  }

  /// Everything that a worker needs, and that no other is at work. Does nothing while we have one ourselves.
  private func prepareWorker() async throws {
    guard worker == nil else { return }
    try HostPath.createDirectories(settings.runtimeDirectory, mode: 0o700)
    _ = try await WorkerLock.wait(lockPath, limit: settings.startLimit)
    cache.start(lockDirectory: try await systemDirectory.prepare(lockDirectory: settings.lockDirectory))
  }

  /// Ends the worker once its present command has ended.
  /// - Parameter limit: how long to wait for that, and for the commands that wait for their turn.
  package func close(within limit: Duration = .zero) async {
    if limit > .zero { try? await queue.run("ending", patience: limit) {} }
    state.withLock { state in
      state.isStarted = false
      state.worker = nil
    }
  }

  /// Runs one command to its end; on the queue's thread.
  /// - Throws: what LVM says of the failure; `.unavailable` when the worker died of it, or cannot be had.
  func execute(_ command: LVMCommand) throws -> Reply {
    let worker = try liveWorker()
    try resumeAfterDeath()
    state.withLock { $0.counters.commands += 1 }
    guard let reply = worker.run(command.line) else {
      lost(worker)
      throw StorageError.unavailable(
        "the LVM worker died during \(command.arguments[0]) in \(command.group); whether that was carried out is not known"
      )
    }
    state.withLock { $0.deaths = 0 }
    guard reply.isSuccess else {
      cache.invalidate(command.group)
      throw reply.failure(of: command)
    }
    return reply
  }

  private func lost(_ worker: WorkerProcess) {
    let wait = state.withLock { state -> Duration in
      state.worker = nil
      state.wasCutOff = true
      state.deaths += 1
      // The first replacement comes at once.
      let wait: Duration = state.deaths == 1 ? .zero : .milliseconds(100 << min(state.deaths - 2, 7))
      state.restartsAt = .now + wait
      return wait
    }
    cache.invalidateAll()
    logger.error("the LVM worker died", metadata: ["pid": "\(worker.process)", "restart_in": "\(wait)"])
  }

  /// The worker, started when there is none.
  private func liveWorker() throws -> WorkerProcess {
    let (worker, restartsAt) = try state.withLock { state in
      guard state.isStarted else { throw StorageError.unavailable("LVM is not ready") }
      return (state.worker, state.restartsAt)
    }
    if let worker { return worker }
    if let restartsAt, ContinuousClock.now < restartsAt {
      throw StorageError.unavailable("the LVM worker died and is started again in a moment")
    }
    do {
      guard let lock = try WorkerLock(lockPath) else {
        throw StorageError.unavailable("another LVM worker still runs: \(lockPath) is held")
      }
      let worker = try WorkerProcess(
        executable: settings.executable, systemDirectory: systemDirectory.path, lock: lock,
        mayCrash: restartsAt == nil)
      cache.isOurs(worker.process)
      state.withLock { state in
        state.worker = worker
        state.counters.workerStarts += 1
      }
      return worker
    } catch let error as SystemCallError {
      throw error.storageError
    }
  }

  /// A command that was cut off may have left devices suspended.
  private func resumeAfterDeath() throws {
    let wasCutOff = state.withLock { state in
      defer { state.wasCutOff = false }
      return state.wasCutOff
    }
    guard wasCutOff else { return }
    do {
      try forEachGroup { if let group = cache.last($0) { try resume(group) } }
    } catch {
      state.withLock { $0.wasCutOff = true }
      throw error
    }
  }

  /// A group that fails keeps none of the others from its turn.
  /// - Throws: the first error, after the last group.
  private func forEachGroup(_ body: (String) throws -> Void) throws {
    var first: (any Error)?
    for name in settings.groups.keys.sorted() {
      do { try body(name) } catch { first = first ?? error }
    }
    if let first { throw first }
  }

  /// Lets devices of the group go on that a command which was cut off has left suspended. A table that such a command
  /// prepared is dropped first, for LVM may never have written down what it says; where it has, the repeat of the command
  /// loads it (`refreshDevice`). Devices that another's command works on at this moment are left alone: a report waits
  /// for that command.
  func resume(_ group: VolumeGroup) throws {
    let before = try DeviceMapper.halfChanged(ofGroup: group.uuid)
    guard !before.isEmpty else { return }
    let (now, _) = try report(group.name)
    _ = removeUnmade(of: now)
    let left = try DeviceMapper.halfChanged(ofGroup: group.uuid).filter { before[$0.key]?.uuid == $0.value.uuid }
    // A thin volume goes on only when its pool does: the kernel lets whoever resumes it first wait for that.
    let order = left.map { (depth: DeviceMapper.depth(of: $0.value), name: $0.key, info: $0.value) }
    for (_, name, info) in order.sorted(by: { ($0.depth, $0.name) < ($1.depth, $1.name) }) {
      logger.warning("resuming a device that was left suspended", metadata: ["device": "\(name)"])
      if info.hasPendingTable { try DeviceMapper.dropPendingTable(named: name) }
      let isVisible = now.volumes.values.contains { !$0.isInternal && info.isVolume($0.uuid, ofGroup: group.uuid) }
      if info.isSuspended { try DeviceMapper.resume(named: name, isVisible: isVisible) }
    }
  }
}
