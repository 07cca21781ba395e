import Storage

/// Which services a process serves; the others answer UNIMPLEMENTED.
package enum DriverMode: String, Hashable, Sendable, CaseIterable {
  case controller, node, all

  package var servesController: Bool { self != .node }
  package var servesNode: Bool { self != .controller }
}

/// Who makes volumes larger.
package enum ExpansionPlace: String, Hashable, Sendable, CaseIterable {
  /// ControllerExpandVolume grows the volume, NodeExpandVolume what is on it.
  case controller
  /// NodeExpandVolume does both, where the volume is: no controller knows of the node's volumes.
  case node
}

/// What the driver must be told besides its backends.
package struct DriverConfiguration: Hashable, Sendable {
  /// The plugin's name, for instance `file.csi.stowage.dev`: at most 63 bytes of letters, digits, '-', '.', '_', a
  /// letter first and last.
  package var driverName: String
  package var version: String
  /// Stable over restarts, at most 256 bytes.
  package var nodeID: NodeID
  package var mode: DriverMode
  /// 0 leaves the number to the CO.
  package var maxVolumesPerNode: Int64
  /// Staging and target paths must lie below one of these; empty allows all.
  package var allowedPathPrefixes: [String]
  /// Announces the alpha capabilities that only CSI 1.13 knows.
  package var advertises113: Bool
  /// The largest inline ephemeral volume that a pod may ask for.
  package var ephemeralLimit: ByteCount
  package var expansion: ExpansionPlace
  /// Where the control groups of pods are: a directory of cgroup version 2 in which `kubepods` lies, or further up.
  package var cgroupRoot: String

  package init(
    driverName: String, version: String, nodeID: NodeID, mode: DriverMode = .all, maxVolumesPerNode: Int64 = 0,
    allowedPathPrefixes: [String] = [], advertises113: Bool = false, ephemeralLimit: ByteCount = .gib(100),
    expansion: ExpansionPlace = .controller, cgroupRoot: String = "/sys/fs/cgroup"
  ) {
    self.driverName = driverName
    self.version = version
    self.nodeID = nodeID
    self.mode = mode
    self.maxVolumesPerNode = maxVolumesPerNode
    self.allowedPathPrefixes = allowedPathPrefixes
    self.advertises113 = advertises113
    self.ephemeralLimit = ephemeralLimit
    self.expansion = expansion
    self.cgroupRoot = cgroupRoot
  }

  /// - Throws: `StorageError.invalid` when the CO would refuse this driver.
  package func validate() throws {
    guard Self.isPluginName(driverName) else {
      throw StorageError.invalid(
        "driver name must be at most 63 letters, digits, '-', '.', '_' with a letter first and last")
    }
    guard !version.isEmpty else { throw StorageError.invalid("version must not be empty") }
    guard maxVolumesPerNode >= 0 else { throw StorageError.invalid("max volumes per node must not be negative") }
    guard !mode.servesNode || (1...256).contains(nodeID.rawValue.utf8.count) else {
      throw StorageError.invalid("node id must have 1 to 256 bytes")
    }
  }

  private static func isPluginName(_ name: String) -> Bool {
    func isLetter(_ byte: UInt8?) -> Bool {
      guard let byte else { return false }
      return UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }
    return name.utf8.count <= 63 && isLetter(name.utf8.first) && isLetter(name.utf8.last)
      && name.utf8.allSatisfy { isLetter($0) || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || "-._".utf8.contains($0) }
  }
}
