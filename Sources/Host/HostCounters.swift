import Synchronization

/// What this process has cost the host since it began, for metrics, and what a piece of work costs, for budgets.
package enum HostCounters {
  private static let startedPrograms = Atomic<Int>(0)
  private static let issuedSyncs = Atomic<Int>(0)
  @TaskLocal private static var tally: Tally?

  private final class Tally: Sendable {
    let programs = Atomic<Int>(0)
    let syncs = Atomic<Int>(0)
  }

  /// External programs started (mkfs, fsck, the freeze guard).
  package static var programs: Int { startedPrograms.load(ordering: .relaxed) }
  /// Calls that make a file, directory or device durable issued through this module.
  package static var syncs: Int { issuedSyncs.load(ordering: .relaxed) }

  /// Runs `work` and says what it, with the tasks that it began, cost up to its end.
  package static func counting<Result>(_ work: () async throws -> Result) async rethrows
    -> (result: Result, programs: Int, syncs: Int)
  {
    let own = Tally()
    let result = try await $tally.withValue(own) { try await work() }
    return (result, own.programs.load(ordering: .relaxed), own.syncs.load(ordering: .relaxed))
  }

  static func countProgram() {
    startedPrograms.add(1, ordering: .relaxed)
    tally?.programs.add(1, ordering: .relaxed)
  }

  static func countSync() {
    issuedSyncs.add(1, ordering: .relaxed)
    tally?.syncs.add(1, ordering: .relaxed)
  }
}
