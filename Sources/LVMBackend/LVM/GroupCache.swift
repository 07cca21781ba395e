import Glibc
import Host
import Logging
import Storage
import Synchronization

/// The groups as LVM last told, and whether that still holds.
///
/// Every LVM command on a group opens the lock file `V_<group>` and closes it when it has done: closes by others than
/// our workers make what we know of that group old.
final class GroupCache: Sendable {
  private struct Entry {
    var group: VolumeGroup
    /// The generation that was read.
    let generation: Int
    let readAt: ContinuousClock.Instant
    /// `vg_seqno` is that of the report no more.
    var changes = 0
  }

  private struct State {
    var entries: [String: Entry] = [:]
    /// Grows with everything that makes an entry old.
    var generations: [String: Int] = [:]
    /// Those whose closes are ours; the last one lives.
    var workers: [pid_t] = []
    /// Counts what concerns all groups.
    var all = 0
    var isWatching = false
  }

  /// After so many changes of our own the group is read again: they do not tell how full its metadata area is.
  private static let greatestChanges = 64

  private let state = Mutex(State())
  private let watch = Mutex<CloseWatch?>(nil)
  private let greatestAge: Duration
  private let logger: Logger

  init(greatestAge: Duration, logger: Logger) {
    self.greatestAge = greatestAge
    self.logger = logger
  }

  /// Begins to watch for the commands of others.
  func start(lockDirectory: String) {
    // LVM makes it likewise when it is not there.
    mkdir(lockDirectory, 0o700)
    watch.withLock { self.renew(&$0, lockDirectory) }
  }

  private func renew(_ watch: inout CloseWatch?, _ directory: String) {
    do {
      watch = try CloseWatch(directory)
      state.withLock { state in
        state.isWatching = true
        state.all += 1
      }
    } catch {
      watch = nil
      state.withLock { $0.isWatching = false }
      logger.warning(
        "LVM commands of others cannot be seen; groups are read again after a second",
        metadata: ["error": "\(error)"])
    }
  }

  /// Takes note of what others have done.
  private func observe() {
    let events = watch.withLock { watch -> [CloseWatch.Event] in
      guard let directory = watch?.directory else { return [] }
      if watch?.isCurrent == false { renew(&watch, directory) }
      return watch?.events() ?? []
    }
    guard !events.isEmpty else { return }
    state.withLock { state in
      for event in events {
        switch event {
        case .lost: state.all += 1
        case .closed(let name, let process):
          guard name.hasPrefix("V_"), !state.workers.contains(process) else { continue }
          state.generations[String(name.dropFirst(2)), default: 0] += 1
        }
      }
    }
  }

  /// The group, when what we know of it holds.
  func current(_ name: String) -> VolumeGroup? {
    observe()
    return state.withLock { state in
      guard let entry = state.entries[name], entry.generation == Self.generation(name, state),
        entry.changes < Self.greatestChanges
      else { return nil }
      let age = entry.readAt.duration(to: .now)
      return age < (state.isWatching ? greatestAge : min(greatestAge, .seconds(1))) ? entry.group : nil
    }
  }

  /// The group as it was last seen.
  func last(_ name: String) -> VolumeGroup? { state.withLock { $0.entries[name]?.group } }

  /// To be asked for before a report and given with what it said.
  func generation(_ name: String) -> Int {
    observe()
    return state.withLock { Self.generation(name, $0) }
  }

  private static func generation(_ name: String, _ state: State) -> Int {
    state.all + state.generations[name, default: 0]
  }

  /// - Returns: whether somebody else has changed the group since it was last told.
  func store(_ group: VolumeGroup, _ generation: Int) -> Bool {
    state.withLock { state in
      // What earlier workers closed was told before this report began; their numbers may be given out again.
      state.workers = state.workers.suffix(1)
      let old = state.entries[group.name]
      state.entries[group.name] = Entry(group: group, generation: generation, readAt: .now)
      guard let old, old.changes == 0 else { return false }
      return old.group.sequence != group.sequence
    }
  }

  /// A change of our own that LVM has confirmed. An entry that is old stays so.
  func update(_ name: String, _ change: (inout VolumeGroup) -> Void) {
    state.withLock { state in
      guard var entry = state.entries[name] else { return }
      change(&entry.group)
      entry.changes += 1
      state.entries[name] = entry
    }
  }

  func invalidate(_ name: String) { state.withLock { $0.generations[name, default: 0] += 1 } }
  func invalidateAll() { state.withLock { $0.all += 1 } }

  /// What this process closes is our own doing. One that ended stays until the next report: its last closes may not be
  /// read yet.
  func isOurs(_ process: pid_t) { state.withLock { $0.workers.append(process) } }
}
