import Synchronization

/// What this process has cost the host since it began, for budgets in tests and for metrics.
package enum HostCounters {
  private static let startedPrograms = Atomic<Int>(0)
  private static let issuedSyncs = Atomic<Int>(0)

  /// External programs started (mkfs, fsck, the freeze guard).
  package static var programs: Int { startedPrograms.load(ordering: .relaxed) }
  /// fsync and fdatasync calls issued through this module.
  package static var syncs: Int { issuedSyncs.load(ordering: .relaxed) }

  static func countProgram() { startedPrograms.add(1, ordering: .relaxed) }
  static func countSync() { issuedSyncs.add(1, ordering: .relaxed) }
}
