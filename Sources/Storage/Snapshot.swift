/// A point in time, in whole seconds and nanoseconds since 1970-01-01T00:00:00Z (google.protobuf.Timestamp).
package struct Timestamp: Hashable, Sendable, Comparable {
  package var seconds: Int64
  package var nanoseconds: Int32
  package init(seconds: Int64, nanoseconds: Int32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
  package static func < (a: Self, b: Self) -> Bool { (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds) }
}

package struct SnapshotSpec: Hashable, Sendable {
  package var name: String
  package var source: NativeID
  /// Canonical, as `canonical(snapshotParameters:)` returned them.
  package var parameters: [String: String]
  package var secrets: Secrets
  package init(name: String, source: NativeID, parameters: [String: String] = [:], secrets: Secrets = .none) {
    self.name = name
    self.source = source
    self.parameters = parameters
    self.secrets = secrets
  }
}

package struct Snapshot: Hashable, Sendable {
  package var id: NativeID
  package var name: String
  package var source: NativeID
  /// The least size of a volume restored from it.
  package var size: ByteCount
  package var created: Timestamp
  /// Cut already, but not yet usable as a source while false.
  package var isReady: Bool
  /// The group it belongs to and cannot be deleted apart from.
  package var group: NativeID?
  package init(
    id: NativeID, name: String, source: NativeID, size: ByteCount, created: Timestamp, isReady: Bool,
    group: NativeID? = nil
  ) {
    self.id = id
    self.name = name
    self.source = source
    self.size = size
    self.created = created
    self.isReady = isReady
    self.group = group
  }
}

package struct GroupSnapshotSpec: Hashable, Sendable {
  package var name: String
  /// At least one, without repeats.
  package var sources: [NativeID]
  package var parameters: [String: String]
  package var secrets: Secrets
  package init(name: String, sources: [NativeID], parameters: [String: String] = [:], secrets: Secrets = .none) {
    self.name = name
    self.sources = sources
    self.parameters = parameters
    self.secrets = secrets
  }
}

package struct GroupSnapshot: Hashable, Sendable {
  package var id: NativeID
  package var name: String
  package var members: [Snapshot]
  package var created: Timestamp
  package var isReady: Bool { members.allSatisfy(\.isReady) }
  package init(id: NativeID, name: String, members: [Snapshot], created: Timestamp) {
    self.id = id
    self.name = name
    self.members = members
    self.created = created
  }
}

/// A range of a volume's bytes (CSI spec, BlockMetadata).
package struct BlockRange: Hashable, Sendable {
  package var offset: Int64
  package var length: Int64
  package init(offset: Int64, length: Int64) {
    self.offset = offset
    self.length = length
  }
}
