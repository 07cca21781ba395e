import ArgumentParser
import CSI
import Configuration
import GRPC
import Glibc
import Host

/// `stowage gc`: what a driver holds and its cluster does not know.
package struct GCCommand: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "gc", abstract: "Find, and if asked to delete, volumes and snapshots that nobody knows any more.",
    discussion: """
      Lists what a CSI driver holds and takes away what the cluster refers to; the rest are orphans. They are reported, \
      and deleted only with --delete, and only those that have been orphans for the time of grace: the state file \
      remembers since when. Published volumes and inline volumes of pods are never orphans; group snapshots go as a whole.

      References are handles, one a line or as a JSON array, or the objects that hold them:
        kubectl get pv,volumesnapshotcontents,volumegroupsnapshotcontents -o json |
          stowage gc --references - --state /var/lib/stowage/gc.json --delete

      A kind (volumes; snapshots) of which no handle of this driver is referred to is not judged: more likely nobody \
      asked for it. --allow-no-references judges it all the same.

      Exit status: 0 no orphan is due, or all that were are deleted; 1 something failed; 2 wrong arguments or \
      references; 3 nobody answers at the endpoint; 4 orphans are due and were not to be deleted.
      """)

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var secrets: SecretOptions

  @Option(help: ArgumentHelp("What the cluster refers to; - for stdin.", valueName: "file"))
  var references: String

  @Option(help: "How long something must have been an orphan: 24h, 90m; 0 for no time.")
  var grace = Span(seconds: 24 * 3600)

  @Option(help: ArgumentHelp("Remembers since when orphans are orphans.", valueName: "file"))
  var state: String?

  @Flag(help: "Delete the orphans that are due.")
  var delete = false

  @Flag(help: "References to nothing at all are right: everything is an orphan.")
  var allowNoReferences = false

  package init() {}

  package func validate() throws {
    if delete, state == nil, grace.duration > .zero {
      throw ValidationError("--delete needs --state: without it nothing is ever known to be an orphan for long enough.")
    }
  }

  package mutating func run() async throws {
    let environment = Configuration.processEnvironment
    let secrets = try secrets.load(environment: environment)
    let text = try Self.contents(references)
    let command = self
    var status = ExitCode.success
    try await connection.withClient(environment) { client in
      status = try await command.run(client, secrets, text)
    }
    guard status == .success else { throw status }
  }

  /// Objects of a large cluster take tens of megabytes.
  private static func contents(_ path: String) throws -> [UInt8] {
    do { return try FileContents.read(path == "-" ? "/dev/stdin" : path, limit: 1 << 30) } catch {
      throw ValidationError("Cannot read the references: \(error)")
    }
  }

  private func run(_ client: CSIClient, _ secrets: SecretMap, _ text: [UInt8]) async throws -> ExitCode {
    let driver = try await client.call(Methods.getPluginInfo, .init()).name
    let known: [HeldObject.Key: Int64]
    let found: References
    let file = state.map { OrphanFile(path: $0, driver: driver) }
    do {
      found = try References(parsing: text, driver: driver)
      known = try file?.read() ?? [:]
    } catch let error as ReferencesError {
      throw ValidationError("\(error).")
    } catch let error as SystemCallError {
      throw ValidationError("\(error).")
    }
    guard allowNoReferences || !found.isEmpty else {
      throw ValidationError(
        "The references name nothing of \(driver): everything would be an orphan. If that is right: --allow-no-references."
      )
    }
    let inventory = Inventory(client: client, secrets: secrets)
    let kinds = allowNoReferences ? Set(HeldObject.Kind.allCases) : Orphans.kinds(coveredBy: found)
    let held = try await inventory.read()
    var report = OrphanReport(
      driver: driver,
      orphans: Orphans.judge(
        Orphans.unreferenced(held, by: found, judging: kinds), known: known, now: Int64(time(nil)),
        grace: grace.duration.components.seconds),
      notJudged: HeldObject.Kind.allCases.filter { kind in
        !kinds.contains(kind) && held.contains { $0.kind == kind }
      })
    do {
      try file?.write(report.orphans)
      if delete {
        await report.delete(through: inventory)
        // What is made anew under an id that was deleted is no old orphan.
        try file?.write(report.left)
      }
    } catch let error as SystemCallError {
      throw ValidationError("Cannot write the state: \(error).")
    }
    report.show(as: connection.output)
    return report.status
  }
}
