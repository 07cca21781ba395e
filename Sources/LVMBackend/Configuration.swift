import Storage

/// What one kind of volume is made of; a storage class picks it with the parameter `deviceClass`.
package struct DeviceClass: Hashable, Sendable {
  package enum Layout: Hashable, Sendable {
    case thin(pool: String)
    case linear
    /// Over this many physical volumes.
    case striped(Int)
    /// With this many copies, at least 2.
    case raid1(Int)

    package var isThin: Bool { if case .thin = self { true } else { false } }
  }

  /// When the bytes of thick volumes are overwritten, so that nobody sees those of a former owner. The same for all thick
  /// classes of a group: what one of them leaves the next may get. Thin volumes need none: their pool zeroes.
  package enum Wipe: String, Hashable, Sendable, CaseIterable {
    /// Before the space is given back.
    case delete
    /// Before the volume is first given out and before growth is, whoever had the space.
    case create
    case none
  }

  /// Grows a pool before it is full, from free extents of its group.
  package struct AutoExtend: Hashable, Sendable {
    /// Percent of data or metadata used, 50 to 99.
    package var threshold: Int
    /// Percent of the present size to add.
    package var step: Int
    package init(threshold: Int = 80, step: Int = 20) {
      self.threshold = threshold
      self.step = step
    }
  }

  package var name: String
  package var volumeGroup: String
  /// When given, the group must have this uuid.
  package var volumeGroupUUID: String?
  package var layout: Layout
  /// Bytes promised for each byte of the pool, snapshots counted whole. 1: nobody can be starved.
  package var overprovision: Double
  package var wipe: Wipe
  /// Thin pools only.
  package var autoExtend: AutoExtend?

  package init(
    name: String, volumeGroup: String, volumeGroupUUID: String? = nil, layout: Layout, overprovision: Double = 1,
    wipe: Wipe = .delete, autoExtend: AutoExtend? = nil
  ) {
    self.name = name
    self.volumeGroup = volumeGroup
    self.volumeGroupUUID = volumeGroupUUID
    self.layout = layout
    self.overprovision = overprovision
    self.wipe = wipe
    self.autoExtend = autoExtend
  }
}

/// How one LVM backend is set up; checked by `init`.
package struct LVMBackendConfiguration: Sendable {
  package let name: BackendName
  /// The node that the volume groups are on.
  package let nodeID: NodeID
  /// The one place that volumes can be reached from; empty: topology is not told.
  package let topologies: [Topology]
  /// The first is the default. Not empty, no two of one name.
  package let classes: [DeviceClass]
  package let defaultSize: ByteCount
  package let minimumSize: ByteCount
  package let maximumSize: ByteCount
  package let defaultFilesystem: FilesystemType
  /// This program's own file, started again as `lvm-worker` and to hold file systems frozen.
  package let executable: String
  /// For the worker's lvm.conf and lock; made with mode 0700. Never shared with another driver.
  package let runtimeDirectory: String
  /// LVM's lock directory; nil: LVM's default (/run/lock/lvm), which must be the host's own.
  package let lockDirectory: String?

  /// - Throws: `.invalid` when a value makes no sense.
  package init(
    name: BackendName, nodeID: NodeID, topologies: [Topology] = [], classes: [DeviceClass],
    defaultSize: ByteCount = .gib(1), minimumSize: ByteCount = .mib(4), maximumSize: ByteCount = .tib(16),
    defaultFilesystem: FilesystemType = .ext4, executable: String, runtimeDirectory: String,
    lockDirectory: String? = nil
  ) throws {
    guard !classes.isEmpty else { throw StorageError.invalid("an LVM backend needs a device class") }
    guard Set(classes.map(\.name)).count == classes.count else {
      throw StorageError.invalid("two device classes have the same name")
    }
    for one in classes where !(1...1000).contains(one.overprovision) {
      throw StorageError.invalid("the overprovision ratio must lie between 1 and 1000")
    }
    for group in Set(classes.map(\.volumeGroup)) {
      let wipes = Set(classes.filter { $0.volumeGroup == group && !$0.layout.isThin }.map(\.wipe))
      guard wipes.count <= 1 else {
        throw StorageError.invalid(
          "the thick device classes of volume group \(group) must have the same wipe: they take each other's space")
      }
    }
    guard minimumSize > .zero, minimumSize <= defaultSize, defaultSize <= maximumSize else {
      throw StorageError.invalid("sizes must satisfy 0 < minimum <= default <= maximum")
    }
    guard nodeID.rawValue.utf8.count <= 90 else {
      throw StorageError.invalid("the node id is part of volume ids and may have at most 90 bytes")
    }
    self.name = name
    self.nodeID = nodeID
    self.topologies = topologies
    self.classes = classes
    self.defaultSize = defaultSize
    self.minimumSize = minimumSize
    self.maximumSize = maximumSize
    self.defaultFilesystem = defaultFilesystem
    self.executable = executable
    self.runtimeDirectory = runtimeDirectory
    self.lockDirectory = lockDirectory
  }
}
