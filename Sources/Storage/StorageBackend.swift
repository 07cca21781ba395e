/// A place where volumes live. What every backend can do; further abilities are protocols of their own, and what the
/// driver advertises is derived from the conformances.
///
/// All calls are idempotent, may run at the same time for different volumes, and are never made at the same time for
/// one volume (the driver holds its key in an `OperationGate`). Calls may block a thread of the worker pool but not for
/// ever. An operation that was begun runs to its end even when the caller is gone.
package protocol StorageBackend: Sendable {
  var name: BackendName { get }

  /// The file system of volumes whose CO names none.
  var defaultFilesystem: FilesystemType { get }

  /// The access modes that volumes of this type can really honour.
  func accessModes(for type: AccessType) -> Set<AccessMode>

  /// Heals what a crash left half-made and reads what must be known before the first call. Repeatable.
  func prepare() async throws

  /// Throws when the backend cannot serve and a restart may help; cheap, called by every Probe.
  func checkReadiness() async throws

  /// Parses creation parameters (StorageClass parameters without `backend` and `csi.storage.k8s.io/` keys) and returns
  /// them in one canonical spelling: aliases resolved, what equals the default left out, so that equal requests are equal.
  /// - Throws: `.invalid` for an unknown key or a bad value.
  func canonical(parameters: [String: String]) throws -> [String: String]

  /// The id that a volume of this name has or would get, when the backend derives ids from names; else nil.
  func volumeID(forName name: String) -> NativeID?

  /// The volume, or nil when it does not exist. A half-made volume does not exist.
  func volume(_ id: NativeID) async throws -> Volume?

  /// The volume that the CO made under `name`, or nil.
  func volume(named name: String) async throws -> Volume?

  /// Makes the volume, or finishes one that a crash left half-made. The driver has looked for the name before.
  /// - Throws: `.outOfRange`, `.exhausted`, `.notFound` for a missing source, `.outOfRange` for a size below the source's.
  func createVolume(_ spec: VolumeSpec) async throws -> Volume

  /// Deletes the volume; succeeds when there is none.
  /// - Throws: `.precondition` when it is attached, connected or has dependants that cannot live without it.
  func deleteVolume(_ id: NativeID, secrets: Secrets) async throws

  /// The places that volumes can be made in; empty when they can be reached from everywhere.
  var topologies: [Topology] { get }

  /// Space for new volumes; zero, not an error, when nothing satisfies the query.
  func capacity(_ query: CapacityQuery) async throws -> Capacity
}

/// Volumes are attached to nodes by the controller (PUBLISH_UNPUBLISH_VOLUME, PUBLISH_READONLY).
package protocol AttachableBackend: StorageBackend {
  /// Attaches and returns the publish context: static, without secrets, the same on a repeat.
  /// - Throws: `.notFound` for an unknown volume or node, `.incompatible` when attached to that node otherwise,
  ///   `.precondition` when attached elsewhere and the mode is not multi-node (the message names that node).
  func attach(
    _ id: NativeID, to node: NodeID, capability: VolumeCapability, readOnly: Bool, secrets: Secrets
  ) async throws -> [String: String]

  /// Detaches from `node`, or from all nodes when nil; succeeds when nothing is attached or known.
  func detach(_ id: NativeID, from node: NodeID?, secrets: Secrets) async throws
}

/// CREATE_DELETE_SNAPSHOT, LIST_SNAPSHOTS and volumes made from snapshots.
package protocol SnapshottingBackend: StorageBackend {
  func canonical(snapshotParameters: [String: String]) throws -> [String: String]
  func snapshotID(forName name: String) -> NativeID?
  func snapshot(_ id: NativeID) async throws -> Snapshot?
  func snapshot(named name: String) async throws -> Snapshot?
  /// Cuts the snapshot and returns; `isReady` may follow later.
  func createSnapshot(_ spec: SnapshotSpec) async throws -> Snapshot
  /// - Throws: `.precondition` when something depends on it, `.invalid` when it is a member of a group.
  func deleteSnapshot(_ id: NativeID, secrets: Secrets) async throws
  /// Snapshots with ids above `after`, in ascending order of id, at most `limit`.
  func snapshots(source: NativeID?, after: NativeID?, limit: Int) async throws -> [Snapshot]
}

/// CLONE_VOLUME: `createVolume` accepts another volume as source.
package protocol CloningBackend: StorageBackend {}

/// LIST_VOLUMES.
package protocol ListableBackend: StorageBackend {
  /// Volumes with ids above `after`, in ascending order of id, at most `limit`. Reads only what it returns.
  func volumes(after: NativeID?, limit: Int) async throws -> [Volume]
}

package struct Expansion: Hashable, Sendable {
  package var capacity: ByteCount
  /// A device or file system on a node must still grow.
  package var needsNode: Bool
  package init(capacity: ByteCount, needsNode: Bool) {
    self.capacity = capacity
    self.needsNode = needsNode
  }
}

/// EXPAND_VOLUME, online.
package protocol ExpandableBackend: StorageBackend {
  /// Grows to the range's required size; never shrinks: a volume that is large enough is a success.
  /// - Throws: `.outOfRange` outside the backend's limits or above `limit`, `.exhausted` without space.
  func expand(_ id: NativeID, to range: CapacityRange, secrets: Secrets) async throws -> Expansion
}

/// MODIFY_VOLUME: some parameters of a volume may change while it lives.
package protocol ModifiableBackend: StorageBackend {
  /// Parses mutable parameters (VolumeAttributesClass) and returns them in one canonical spelling.
  /// - Throws: `.invalid` for an unknown key or a bad value.
  func canonical(mutableParameters: [String: String]) throws -> [String: String]
  /// Makes these the volume's mutable parameters; those left out keep their values. All or nothing; repeatable.
  /// - Throws: `.precondition` when this host cannot honour them.
  func modify(_ id: NativeID, mutableParameters: [String: String], secrets: Secrets) async throws
}

/// CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT.
package protocol GroupSnapshottingBackend: SnapshottingBackend {
  func groupSnapshotID(forName name: String) -> NativeID?
  func groupSnapshot(_ id: NativeID) async throws -> GroupSnapshot?
  func groupSnapshot(named name: String) async throws -> GroupSnapshot?
  /// Cuts all members at one point in time, or none.
  func createGroupSnapshot(_ spec: GroupSnapshotSpec) async throws -> GroupSnapshot
  func deleteGroupSnapshot(_ id: NativeID, secrets: Secrets) async throws
}

/// SnapshotMetadata: which blocks a snapshot holds, and which differ between two.
package protocol ChangedBlockBackend: SnapshottingBackend {
  /// Calls `body` with ascending, disjoint ranges that end after `offset`, in batches, until all are told.
  /// - Throws: `.notFound`, `.outOfRange` for an offset beyond the volume; whatever `body` throws ends the work.
  func allocatedBlocks(
    of snapshot: NativeID, from offset: Int64, _ body: ([BlockRange]) async throws -> Void) async throws
  /// As above, ranges that may differ; never leaves out one that does. `.invalid` when the sources differ.
  func changedBlocks(
    from base: NativeID, to target: NativeID, offset: Int64, _ body: ([BlockRange]) async throws -> Void) async throws
}

/// VOLUME_CONDITION, GET_VOLUME and the health calls of CSI 1.13.
package protocol HealthReportingBackend: StorageBackend {
  /// The volume must exist. Bounded in time.
  func condition(of id: NativeID) async throws -> VolumeCondition

  /// As it was found at most a few seconds ago: for lists of many volumes, which must not look at each one.
  func recentCondition(of id: NativeID) async throws -> VolumeCondition
}

extension HealthReportingBackend {
  package func recentCondition(of id: NativeID) async throws -> VolumeCondition { try await condition(of: id) }
}

/// Volumes that a node can make for one pod without a controller (inline ephemeral volumes).
package protocol EphemeralBackend: StorageBackend, NodeBackend {}
