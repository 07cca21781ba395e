/// Something that a driver holds for a cluster.
package struct HeldObject: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case volume, snapshot
    case groupSnapshot = "group-snapshot"
  }

  package var kind: Kind
  package var id: String
  /// The snapshots of a group, which go with it.
  package var members: [String]

  package init(_ kind: Kind, _ id: String, members: [String] = []) {
    self.kind = kind
    self.id = id
    self.members = members
  }

  var key: Key { Key(kind: kind, id: id) }

  struct Key: Hashable, Sendable {
    var kind: Kind
    var id: String
  }

  /// Snapshots as a driver lists them: members of one group become that group.
  ///
  /// - Parameter snapshots: ids, each with the id of its group; empty: none.
  package static func snapshots(_ snapshots: [(id: String, group: String)]) -> [HeldObject] {
    let groups = Dictionary(grouping: snapshots.filter { !$0.group.isEmpty }, by: \.group)
    return snapshots.filter(\.group.isEmpty).map { HeldObject(.snapshot, $0.id) }
      + groups.map { HeldObject(.groupSnapshot, $0.key, members: $0.value.map(\.id)) }.sorted { $0.id < $1.id }
  }
}

/// Something that a driver holds and nobody in the cluster knows.
package struct Orphan: Hashable, Sendable {
  package var object: HeldObject
  /// Seconds since 1970.
  package var firstSeen: Int64
  /// Nobody has known it for the whole time of grace.
  package var isDue: Bool
}

package enum Orphans {
  /// What of `held` is not referenced. Kinds that the references say nothing about are left out.
  package static func unreferenced(
    _ held: [HeldObject], by references: References, judging kinds: Set<HeldObject.Kind>
  ) -> [HeldObject] {
    held.filter { kinds.contains($0.kind) && !references.contain($0) }
  }

  /// The kinds about which the references say anything.
  package static func kinds(coveredBy references: References) -> Set<HeldObject.Kind> {
    Set(HeldObject.Kind.allCases.filter(references.cover))
  }

  /// Which of the unreferenced objects are due.
  ///
  /// - Parameters:
  ///   - known: when each was first seen unreferenced. A time after `now` says that the clock was set back: the time of
  ///     grace begins again.
  ///   - now: seconds since 1970.
  ///   - grace: in seconds.
  static func judge(
    _ unreferenced: [HeldObject], known: [HeldObject.Key: Int64], now: Int64, grace: Int64
  ) -> [Orphan] {
    unreferenced.map { object in
      let seen = known[object.key].flatMap { $0 <= now ? $0 : nil } ?? now
      return Orphan(object: object, firstSeen: seen, isDue: now - seen >= grace)
    }
  }
}
