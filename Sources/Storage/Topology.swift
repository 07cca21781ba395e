/// One place that volumes can be reached from: segments such as `["file.csi.stowage.dev/node": "worker-1"]`.
package struct Topology: Hashable, Sendable {
  package let segments: [String: String]
  package init(_ segments: [String: String]) { self.segments = segments }

  /// Whether everything that `other` demands is true of this place.
  package func satisfies(_ other: Topology) -> Bool {
    other.segments.allSatisfy { segments[$0.key] == $0.value }
  }
}

/// Where the CO wants a volume to be reachable (CSI spec, TopologyRequirement).
package struct TopologyRequirement: Hashable, Sendable {
  package let requisite: [Topology]
  package let preferred: [Topology]

  package init(requisite: [Topology], preferred: [Topology]) {
    self.requisite = requisite
    self.preferred = preferred
  }

  /// The place to use among those on offer: the first preferred one, then the first requisite one.
  ///
  /// - Throws: `.exhausted` when places are required and none is on offer.
  package func choose(from offered: [Topology]) throws -> Topology? {
    let wanted = preferred + requisite
    guard !wanted.isEmpty else { return offered.first }
    for place in wanted {
      if let match = offered.first(where: { $0.satisfies(place) }) { return match }
    }
    guard requisite.isEmpty else { throw StorageError.exhausted("no requisite topology is served here") }
    return offered.first
  }
}
