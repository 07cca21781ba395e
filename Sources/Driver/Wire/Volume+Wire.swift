import CSI
import Storage

extension CapacityRange {
  /// - Parameter wire: nil leaves the size to the backend.
  init(validating wire: CSI.CapacityRange?) throws {
    guard let wire else {
      self = .unspecified
      return
    }
    try self.init(requiredBytes: wire.requiredBytes, limitBytes: wire.limitBytes)
  }
}

extension TopologyRequirement {
  /// nil when nothing is required.
  static func parsing(_ wire: CSI.TopologyRequirement?) -> TopologyRequirement? {
    guard let wire, !(wire.requisite.isEmpty && wire.preferred.isEmpty) else { return nil }
    return .init(
      requisite: wire.requisite.map { .init($0.segments) }, preferred: wire.preferred.map { .init($0.segments) })
  }
}

extension Secrets {
  init(_ wire: SecretMap) { self = wire.isEmpty ? .none : Secrets(wire.reveal()) }
}

extension Topology {
  var wire: CSI.Topology {
    var wire = CSI.Topology()
    wire.segments = segments
    return wire
  }
}

extension VolumeCondition {
  var wire: CSI.VolumeCondition {
    var wire = CSI.VolumeCondition()
    wire.abnormal = isAbnormal
    wire.message = message
    return wire
  }

  /// The health of the volume `id`, as CSI 1.13 words it.
  func health(of id: String) -> CSI.VolumeHealth {
    var health = CSI.VolumeHealth()
    health.volumeID = id
    health.healthStatuses = problems.map { problem in
      var entry = CSI.VolumeHealth.VolumeHealthEntry()
      entry.status =
        switch problem.severity {
        case .degraded: .degraded
        case .inaccessible: .inaccessible
        case .dataLoss: .dataLoss
        }
      entry.reason = problem.reason
      entry.message = problem.message
      return entry
    }
    return health
  }
}

extension BackendRegistry {
  func wire(_ volume: Volume, of backend: any StorageBackend) -> CSI.Volume {
    var wire = CSI.Volume()
    wire.capacityBytes = volume.capacity.bytes
    wire.volumeID = text(volume.id, of: backend)
    wire.volumeContext = volume.context
    // Never created by the CO, but listed: whoever compares the list with what a cluster knows must see the difference.
    if volume.isEphemeral { wire.volumeContext[PublishOrder.ephemeralKey] = "true" }
    wire.contentSource = volume.source.map { self.wire($0, of: backend) }
    wire.accessibleTopology = volume.topology.map(\.wire)
    return wire
  }

  private func wire(_ source: ContentSource, of backend: any StorageBackend) -> CSI.VolumeContentSource {
    var wire = CSI.VolumeContentSource()
    switch source {
    case .snapshot(let id):
      var snapshot = CSI.VolumeContentSource.SnapshotSource()
      snapshot.snapshotID = text(id, of: backend)
      wire.type = .snapshot(snapshot)
    case .volume(let id):
      var volume = CSI.VolumeContentSource.VolumeSource()
      volume.volumeID = text(id, of: backend)
      wire.type = .volume(volume)
    }
    return wire
  }

  func wire(_ snapshot: Snapshot, of backend: any StorageBackend) -> CSI.Snapshot {
    var wire = CSI.Snapshot()
    wire.sizeBytes = snapshot.size.bytes
    wire.snapshotID = text(snapshot.id, of: backend)
    wire.sourceVolumeID = text(snapshot.source, of: backend)
    wire.creationTime = snapshot.created.wire
    wire.readyToUse = snapshot.isReady
    wire.groupSnapshotID = snapshot.group.map { text($0, of: backend) } ?? ""
    return wire
  }

  func wire(_ group: GroupSnapshot, of backend: any StorageBackend) -> VolumeGroupSnapshot {
    var wire = VolumeGroupSnapshot()
    wire.groupSnapshotID = text(group.id, of: backend)
    wire.snapshots = group.members.map { self.wire($0, of: backend) }
    wire.creationTime = group.created.wire
    wire.readyToUse = group.isReady
    return wire
  }
}

extension Timestamp {
  var wire: CSI.Timestamp {
    var wire = CSI.Timestamp()
    wire.seconds = seconds
    wire.nanos = nanoseconds
    return wire
  }
}
