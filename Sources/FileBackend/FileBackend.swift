import Host
import Storage
import Synchronization

/// Volumes that are files in one directory of this host, brought up as loop devices.
///
/// The directory is the record (see `Layout`): a thing appears by one rename and disappears by one. Volumes, snapshots
/// and clones share blocks where the directory's file system can (xfs, btrfs) and are sparse copies elsewhere.
/// All volumes live on this node only: multi-node access modes are refused.
package final class FileBackend: Sendable {
  package let configuration: Configuration
  let layout: Layout
  let disk = Disk()
  private let state = Mutex(State())
  /// The last look at all volumes; see `recentCondition`.
  let recentConditions = Mutex<RecentConditions?>(nil)
  /// When the directory was last found to be there; see `checkReadiness`.
  let lastSeenWell = Mutex<ContinuousClock.Instant?>(nil)

  private struct State: Sendable {
    /// Held from `prepare` to the end of the process.
    var lock: DirectoryLock?
    var catalogue = Catalogue()
    /// Whether files of this directory can share blocks (FICLONE).
    var sharesBlocks = false
  }

  package init(_ configuration: Configuration) {
    self.configuration = configuration
    layout = Layout(root: configuration.directory)
  }

  /// Reads or changes the state in memory. Nothing that blocks belongs into `body`.
  /// - Throws: `.unavailable` before `prepare` succeeded; whatever `body` throws.
  func catalogue<T: Sendable>(_ body: (inout Catalogue) throws -> T) throws -> T {
    try state.withLock { state in
      guard state.lock != nil else { throw Self.notReady }
      return try body(&state.catalogue)
    }
  }

  var isPrepared: Bool { state.withLock { $0.lock != nil } }

  /// Whether copies share blocks with their source in this directory; known after `prepare`.
  package var sharesBlocks: Bool { state.withLock { $0.sharesBlocks } }

  func begin(_ catalogue: Catalogue, sharesBlocks: Bool, lock: DirectoryLock) {
    state.withLock { $0 = State(lock: lock, catalogue: catalogue, sharesBlocks: sharesBlocks) }
  }

  /// Gives the directory's lock back; calls answer `.unavailable` until the next `prepare`. No call may be running.
  package func close() { state.withLock { $0 = State() } }

  /// What this backend has cost since the start.
  package struct Costs: Hashable, Sendable {
    /// fsync calls.
    package let syncs: Int
    /// Files and directories opened.
    package let opens: Int
  }

  package var costs: Costs {
    Costs(
      syncs: disk.counters.syncs.load(ordering: .relaxed), opens: disk.counters.opens.load(ordering: .relaxed))
  }

  private static let notReady = StorageError.unavailable("the file backend is not prepared yet")
}
