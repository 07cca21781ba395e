/// How a volume may be used and from how many nodes (CSI spec, VolumeCapability.AccessMode).
package enum AccessMode: String, Hashable, Sendable, CaseIterable {
  case singleNodeWriter = "SINGLE_NODE_WRITER"
  case singleNodeReaderOnly = "SINGLE_NODE_READER_ONLY"
  case multiNodeReaderOnly = "MULTI_NODE_READER_ONLY"
  case multiNodeSingleWriter = "MULTI_NODE_SINGLE_WRITER"
  case multiNodeMultiWriter = "MULTI_NODE_MULTI_WRITER"
  case singleNodeSingleWriter = "SINGLE_NODE_SINGLE_WRITER"
  case singleNodeMultiWriter = "SINGLE_NODE_MULTI_WRITER"

  package var isMultiNode: Bool {
    switch self {
    case .multiNodeReaderOnly, .multiNodeSingleWriter, .multiNodeMultiWriter: true
    case .singleNodeWriter, .singleNodeReaderOnly, .singleNodeSingleWriter, .singleNodeMultiWriter: false
    }
  }

  package var isReadOnly: Bool { self == .singleNodeReaderOnly || self == .multiNodeReaderOnly }

  /// Whether several targets on one node may show the volume at once. SINGLE_NODE_WRITER counts: kubelets without the
  /// SINGLE_NODE_MULTI_WRITER capability publish it for every pod of the node.
  package var allowsSeveralTargets: Bool { self != .singleNodeSingleWriter }

  package static let singleNode: Set<AccessMode> = Set(allCases.filter { !$0.isMultiNode })
}

/// Whether a volume is used as a device or through a file system.
package enum AccessType: String, Hashable, Sendable {
  case block
  case mount
}

/// The mount half of a volume capability.
package struct MountCapability: Hashable, Sendable {
  /// Empty requests become nil: the driver's default file system.
  package var filesystem: FilesystemType?
  /// Options for the first mount, as the CO gave them (StorageClass mountOptions, SELinux `context=`). May be sensitive.
  package var flags: [String]
  /// VOLUME_MOUNT_GROUP: the group that must own the volume's root, or nil.
  package var group: UInt32?

  package init(filesystem: FilesystemType? = nil, flags: [String] = [], group: UInt32? = nil) {
    self.filesystem = filesystem
    self.flags = flags
    self.group = group
  }
}

/// File systems that the driver can make and grow.
package enum FilesystemType: String, Hashable, Sendable, CaseIterable, Codable {
  case ext4, xfs, btrfs
}

/// A validated volume capability: exactly one access type and a known mode.
package struct VolumeCapability: Hashable, Sendable {
  package enum Access: Hashable, Sendable {
    case block
    case mount(MountCapability)
  }

  package var access: Access
  package var mode: AccessMode

  package init(_ access: Access, _ mode: AccessMode) {
    self.access = access
    self.mode = mode
  }

  package var type: AccessType {
    switch access {
    case .block: .block
    case .mount: .mount
    }
  }

  package var mount: MountCapability? {
    if case .mount(let mount) = access { mount } else { nil }
  }
}
