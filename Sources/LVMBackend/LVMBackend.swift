import Logging
import Storage
import Synchronization

/// Volumes that are logical volumes of this host's volume groups.
///
/// LVM's own metadata are the record: everything about a volume or snapshot is in the tags of its logical volume, set by
/// the very command that makes it (see `VolumeRecord`, `SnapshotRecord`). All volumes live on this node only.
package final class LVMBackend: Sendable {
  package let configuration: LVMBackendConfiguration
  let lvm: LVM
  let logger: Logger
  let state = Mutex(State())
  let poolMonitor: PoolMonitor
  let metadataSnapshots: MetadataSnapshots
  /// The last looks at pools; see `recentCondition`.
  let recentPools = Mutex<[LVPath: RecentPool]>([:])

  struct State: Sendable {
    var isPrepared = false
    /// Promised to volumes that are being made or grown; see `reserve`.
    var reservations: [Space: Int64] = [:]
    /// Counts the promises that were taken back.
    var releases = 0
    /// Logical volumes whose bytes are being overwritten now.
    var wiping: Set<LVPath> = []
  }

  package init(_ configuration: LVMBackendConfiguration, logger: Logger = Logger(label: "lvm")) {
    self.configuration = configuration
    self.logger = logger
    poolMonitor = PoolMonitor(configuration.classes, logger: logger)
    metadataSnapshots = MetadataSnapshots(directory: configuration.runtimeDirectory)
    var groups: [String: String?] = [:]
    for one in configuration.classes {
      groups.updateValue(one.volumeGroupUUID ?? groups[one.volumeGroup] ?? nil, forKey: one.volumeGroup)
    }
    var settings = LVM.Settings(
      executable: configuration.executable, runtimeDirectory: configuration.runtimeDirectory,
      lockDirectory: configuration.lockDirectory, groups: groups)
    settings.ownTag = TagWriter.ownerTag(configuration.name)
    lvm = LVM(settings, logger: logger)
    groupNames = groups.keys.sorted()
  }

  /// The volume groups of all classes, each once.
  let groupNames: [String]

  package func close() async { await end(within: .zero) }

  /// - Throws: `.unavailable` before `prepare` succeeded.
  func checkPrepared() throws {
    guard state.withLock({ $0.isPrepared }) else {
      throw StorageError.unavailable("the LVM backend is not prepared yet")
    }
  }
}

extension LVMBackend: EndingBackend {
  package func end(within limit: Duration) async {
    state.withLock { $0.isPrepared = false }
    poolMonitor.stop()
    await lvm.close(within: limit)
  }
}

extension LVMBackend: CommandCountingBackend {
  package var commands: Int { lvm.commands }
}

/// Where space is promised from.
enum Space: Hashable, Sendable {
  case pool(LVPath)
  case group(String)
}
