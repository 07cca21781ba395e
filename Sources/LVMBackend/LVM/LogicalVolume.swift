import Storage

/// Where a logical volume is found: `<volume group>/<name>`.
package struct LVPath: Hashable, Sendable, CustomStringConvertible {
  package let group: String
  package let name: String
  package init(_ group: String, _ name: String) {
    self.group = group
    self.name = name
  }
  package var description: String { "\(group)/\(name)" }
}

/// A logical volume as LVM reports it (lvs(8), `-o help`).
package struct LogicalVolume: Hashable, Sendable {
  /// How its bytes are laid out (`lv_layout`).
  package enum Layout: Hashable, Sendable {
    case thin, thinPool, linear, striped, raid
    /// What this driver has no use for, such as a cache.
    case other(String)
  }

  /// What only a thin pool has.
  package struct Pool: Hashable, Sendable {
    package var chunkSize: ByteCount
    package var metadataSize: ByteCount
    /// Whether new chunks read as zeroes.
    package var zeroes: Bool
    /// Whether a full pool fails writes at once (`error`) rather than after a while (`queue`).
    package var failsWhenFull: Bool
    package var transactionID: Int64
  }

  package var name: String
  package var uuid: String
  package var size: ByteCount
  package var tags: Set<String>
  package var layout: Layout
  /// The thin pool that a thin volume lives in.
  package var poolName: String?
  /// The volume that a thin snapshot was cut from, while that exists.
  package var origin: String?
  /// A thin volume's id in its pool's metadata.
  package var thinID: Int64?
  /// The pool's transaction that a thin volume was written down in.
  package var transactionID: Int64?
  /// Part of another volume, such as a pool's metadata.
  package var isInternal: Bool
  /// Volumes that would go with it are made from it: thick or external snapshots of somebody else's.
  package var hasDependents: Bool
  /// `lv_health_status`: empty when well, else such as `partial`, `refresh needed`, `mismatches exist`, `failed`.
  package var health: String
  /// Seconds since 1970 (`lv_time`).
  package var created: Int64
  package var pool: Pool?

  package init(
    name: String, uuid: String, size: ByteCount, tags: Set<String> = [], layout: Layout, poolName: String? = nil,
    origin: String? = nil, thinID: Int64? = nil, transactionID: Int64? = nil, isInternal: Bool = false,
    hasDependents: Bool = false, health: String = "", created: Int64 = 0, pool: Pool? = nil
  ) {
    self.name = name
    self.uuid = uuid
    self.size = size
    self.tags = tags
    self.layout = layout
    self.poolName = poolName
    self.origin = origin
    self.thinID = thinID
    self.transactionID = transactionID
    self.isInternal = isInternal
    self.hasDependents = hasDependents
    self.health = health
    self.created = created
    self.pool = pool
  }
}

/// A volume group with all that is in it, as of one moment.
package struct VolumeGroup: Hashable, Sendable {
  package struct PhysicalVolume: Hashable, Sendable {
    package var name: String
    package var size: ByteCount
    package var free: ByteCount
    package var isMissing: Bool
    package var isAllocatable: Bool
  }

  package var name: String
  package var uuid: String
  /// Grows with every change (`vg_seqno`).
  package var sequence: Int64
  package var extentSize: ByteCount
  package var size: ByteCount
  package var free: ByteCount
  /// The metadata area of the physical volume that has the least (`vg_mda_size`, `vg_mda_free`).
  package var metadataSize: ByteCount
  package var metadataFree: ByteCount
  /// Neither exported nor set read-only.
  package var isWritable: Bool
  package var physicalVolumes: [PhysicalVolume]
  /// By name, internal ones too.
  package var volumes: [String: LogicalVolume]

  package var missingDevices: [PhysicalVolume] { physicalVolumes.filter(\.isMissing) }
}

/// A logical volume to make.
package struct NewLogicalVolume: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case thin(pool: String)
    /// A thin volume that begins as `origin`, of the same size.
    case snapshot(of: String)
    case linear
    case striped(Int)
    /// With this many copies of the data, at least 2.
    case raid1(Int)
  }
  package var path: LVPath
  /// A multiple of the group's extent size; ignored for snapshots.
  package var size: ByteCount
  package var kind: Kind
  /// Set by the very command that makes the volume.
  package var tags: Set<String>
  package init(_ path: LVPath, size: ByteCount, kind: Kind, tags: Set<String>) {
    self.path = path
    self.size = size
    self.kind = kind
    self.tags = tags
  }
}
