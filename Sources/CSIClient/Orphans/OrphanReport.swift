import ArgumentParser
import CSI
import GRPC

/// What a run found and did.
struct OrphanReport {
  var driver: String
  var orphans: [Orphan]
  /// Kinds that the driver holds and the references say nothing about.
  var notJudged: [HeldObject.Kind]
  private var outcomes: [HeldObject.Key: Outcome] = [:]

  private enum Outcome { case deleted, failed(String) }

  init(driver: String, orphans: [Orphan], notJudged: [HeldObject.Kind]) {
    self.driver = driver
    self.orphans = orphans
    self.notJudged = notJudged
  }

  /// Snapshots first: a volume may not go before them.
  mutating func delete(through inventory: Inventory) async {
    let due = orphans.filter(\.isDue).map(\.object)
    for object in due.filter({ $0.kind != .volume }) + due.filter({ $0.kind == .volume }) {
      do {
        try await inventory.delete(object)
        outcomes[object.key] = .deleted
      } catch let status as Status {
        outcomes[object.key] = .failed(status.description)
      } catch {
        outcomes[object.key] = .failed("\(error)")
      }
    }
  }

  /// Those that were not deleted.
  var left: [Orphan] {
    orphans.filter { if case .deleted? = outcomes[$0.object.key] { false } else { true } }
  }

  var status: ExitCode {
    let left = left.filter(\.isDue)
    if left.isEmpty { return .success }
    return outcomes.isEmpty ? ExitCode(4) : ExitCode(ExitStatus.failure.rawValue)
  }

  private func state(_ orphan: Orphan) -> String {
    switch outcomes[orphan.object.key] {
    case .deleted?: "deleted"
    case .failed?: "failed"
    case nil: orphan.isDue ? "due" : "in grace"
    }
  }

  func show(as format: OutputFormat) {
    let rows = orphans.map(row)
    switch format {
    case .json:
      let json = JSON.object([
        .init("driver", .string(driver)), .init("orphans", .array(rows)),
        .init("not_judged", .array(notJudged.map { .string($0.rawValue) })),
      ])
      print(json.prettyText)
    case .table:
      let columns = [
        ("KIND", "kind"), ("ID", "id"), ("ORPHAN SINCE", "first_seen"), ("STATE", "state"), ("MESSAGE", "message"),
      ].map { (title: $0.0, path: $0.1) }
      print(rows.isEmpty ? "no orphans" : Presentation.render(rows, columns))
      for kind in notJudged { print("not judged: every \(kind.rawValue), of which the references name none") }
    }
  }

  private func row(_ orphan: Orphan) -> JSON {
    var members: [JSON.Member] = [
      .init("kind", .string(orphan.object.kind.rawValue)), .init("id", .string(orphan.object.id)),
      .init("first_seen", .string(Timestamp(seconds: orphan.firstSeen).rfc3339 ?? String(orphan.firstSeen))),
      .init("state", .string(state(orphan))),
    ]
    if !orphan.object.members.isEmpty {
      members.append(.init("snapshots", .array(orphan.object.members.map { .string($0) })))
    }
    if case .failed(let message)? = outcomes[orphan.object.key] { members.append(.init("message", .string(message))) }
    return .object(members)
  }
}
