import Host
import Logging
import Storage
import Synchronization

/// LVM on this host: what the groups hold, and changes to them.
///
/// Commands run one after another in a process of their own (`LVMWorker`). What the groups hold is kept in memory and
/// read again only after somebody else's LVM command (seen by fanotify(7) on LVM's lock files), after a failure, and
/// when it is old.
package final class LVM: Sendable {
  package struct Settings: Sendable {
    package var executable: String
    package var runtimeDirectory: String
    package var lockDirectory: String?
    /// Names of the groups, each with the uuid that it must have, if that is told.
    package var groups: [String: String?]
    /// The tag of the volumes that are ours.
    package var ownTag: String?
    /// While a command runs longer than this, new ones fail at once.
    package var hangLimit: Duration = .seconds(30)
    /// How long `start` waits for what a worker of an earlier life is doing.
    package var startLimit: Duration = .seconds(20)
    /// Groups are read again when they are used after this time.
    package var greatestAge: Duration = .seconds(600)
    package init(executable: String, runtimeDirectory: String, lockDirectory: String?, groups: [String: String?]) {
      self.executable = executable
      self.runtimeDirectory = runtimeDirectory
      self.lockDirectory = lockDirectory
      self.groups = groups
    }
  }

  /// What LVM has been asked for since the start.
  package struct Counters: Hashable, Sendable {
    /// All commands, reports too.
    package var commands = 0
    /// Commands that read a whole group.
    package var reports = 0
    package var workerStarts = 0
    /// Reports that showed a change which was not ours.
    package var outsideChanges = 0
  }

  let settings: Settings
  let logger: Logger
  let queue: CommandQueue
  let cache: GroupCache
  let state = Mutex(State())

  struct State {
    var worker: WorkerProcess?
    var counters = Counters()
    var isStarted = false
    /// Whether a worker died and what it may have left has not been looked after.
    var wasCutOff = false
    /// Workers that died without having carried out a command.
    var deaths = 0
    var restartsAt: ContinuousClock.Instant?
  }

  package init(_ settings: Settings, logger: Logger = Logger(label: "lvm")) {
    self.settings = settings
    self.logger = logger
    queue = CommandQueue(limit: settings.hangLimit, logger: logger)
    cache = GroupCache(greatestAge: settings.greatestAge, logger: logger)
  }

  /// How long the present command has been running; nil when none is.
  package var running: Duration? { queue.running }
  /// Commands given to LVM since the start.
  package var commands: Int { counters.commands }
  package var counters: Counters { state.withLock { $0.counters } }
  /// The worker's process, while there is one.
  package var worker: Int32? { state.withLock { $0.worker?.process } }

  // MARK: reads: no command unless something changed

  /// While a command hangs, the group as it was last seen.
  /// - Throws: `.invalid` for a group that is not configured, `.unavailable` when there is no such group now,
  ///   `.precondition` when it is not the one that is configured.
  package func group(_ name: String) async throws -> VolumeGroup {
    guard settings.groups.keys.contains(name) else {
      throw StorageError.invalid("volume group \(name.prefix(128)) is not configured")
    }
    if let group = cache.current(name) { return group }
    do {
      return try await queue.run("reading \(name)") { try self.refresh(name) }
    } catch let refusal as CommandQueue.Refusal {
      guard let group = cache.last(name) else { throw refusal.error }
      return group
    }
  }

  package func volume(_ path: LVPath) async throws -> LogicalVolume? { try await group(path.group).volumes[path.name] }

  /// - Throws: `.unavailable` when reads of this group tell of an earlier time, for LVM does not answer.
  package func checkIsCurrent(_ name: String) throws {
    guard cache.current(name) != nil else {
      throw StorageError.unavailable("volume group \(name) cannot be read now")
    }
  }

  /// Makes the next read ask LVM.
  package func invalidate(_ group: String) { cache.invalidate(group) }

  /// The group as it is now; on the queue's thread.
  func refresh(_ name: String) throws -> VolumeGroup {
    if let group = cache.current(name) { return group }
    var (group, generation) = try report(name)
    if removeUnmade(of: group) {
      (group, generation) = try report(name)
      // The next change in the pool would make it, and then nobody could tell.
      guard unmade(in: group).isEmpty else {
        throw StorageError.unavailable("volume group \(name) holds a volume that was never made and cannot be removed")
      }
    }
    if cache.store(group, generation) { state.withLock { $0.counters.outsideChanges += 1 } }
    return group
  }

  /// The group as LVM tells it, and what to remember it by.
  func report(_ name: String) throws -> (VolumeGroup, generation: Int) {
    let generation = cache.generation(name)
    state.withLock { $0.counters.reports += 1 }
    let groups = try Report.parse(try execute(.report(name)).output)
    guard let group = groups.first else { throw StorageError.unavailable("there is no volume group \(name)") }
    guard groups.count == 1 else {
      throw StorageError.precondition(
        "there are \(groups.count) volume groups named \(name); rename one of them (vgrename(8) by uuid)")
    }
    if let wanted = settings.groups[name].flatMap({ $0 }), group.uuid != wanted {
      throw StorageError.precondition("volume group \(name) has the uuid \(group.uuid), but \(wanted) is configured")
    }
    return (group, generation)
  }
}
