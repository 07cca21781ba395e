import Logging
import Storage

/// LVM on this host: what the groups hold, and changes to them.
package final class LVM: Sendable {
  package struct Settings: Sendable {
    package var executable: String
    package var runtimeDirectory: String
    package var lockDirectory: String?
    /// Names of the groups, each with the uuid that it must have, if that is told.
    package var groups: [String: String?]
    package init(executable: String, runtimeDirectory: String, lockDirectory: String?, groups: [String: String?]) {
      self.executable = executable
      self.runtimeDirectory = runtimeDirectory
      self.lockDirectory = lockDirectory
      self.groups = groups
    }
  }

  package init(_ settings: Settings, logger: Logger = Logger(label: "lvm")) {}

  /// Waits for the worker of an earlier life, starts one, reads all groups, resumes what was left suspended.
  package func start() async throws { fatalError("not written yet") }
  package func close() async {}

  // Reads: no command unless something changed.
  package func group(_ name: String) async throws -> VolumeGroup { fatalError("not written yet") }
  package func volume(_ path: LVPath) async throws -> LogicalVolume? { fatalError("not written yet") }

  // Writes: one after another, each to its end.
  package func create(_ order: NewLogicalVolume) async throws -> LogicalVolume { fatalError("not written yet") }
  /// Succeeds when there is none.
  package func remove(_ path: LVPath) async throws { fatalError("not written yet") }
  package func extend(_ path: LVPath, to size: ByteCount) async throws { fatalError("not written yet") }
  package func changeTags(of path: LVPath, adding: Set<String>, removing: Set<String>) async throws {
    fatalError("not written yet")
  }
  package func rename(_ path: LVPath, to name: String) async throws { fatalError("not written yet") }
  package func activate(_ path: LVPath) async throws { fatalError("not written yet") }
  package func deactivate(_ path: LVPath) async throws { fatalError("not written yet") }
  /// Sizes that the pool's data and metadata are to have; nil: as it is.
  package func extendPool(_ path: LVPath, data: ByteCount?, metadata: ByteCount?) async throws {
    fatalError("not written yet")
  }

  /// How long the present command has been running; nil when none is.
  package var running: Duration? { nil }
  /// Commands given to LVM since the start.
  package var commands: Int { 0 }
}
