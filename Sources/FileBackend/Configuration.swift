import Host
import Storage

extension FileBackend {
  /// How one file backend is set up; checked by `init`.
  package struct Configuration: Sendable {
    package let name: BackendName
    /// Absolute; made with mode 0700 when missing. Its file system bounds everything.
    package let directory: String
    /// The node that all volumes live on.
    package let nodeID: NodeID
    /// The one place that volumes can be reached from; empty: topology is not told.
    package let topologies: [Topology]
    /// How many bytes are promised for each free byte of the directory's file system; at least 0.1.
    package let overprovisionRatio: Double
    /// The size of volumes whose CO asks for none.
    package let defaultSize: ByteCount
    package let minimumSize: ByteCount
    package let maximumSize: ByteCount
    package let defaultFilesystem: FilesystemType
    /// Let loop devices bypass the page cache where the directory's file system can.
    package let directIO: Bool
    /// This program's own file, started again to hold file systems frozen.
    package let executable: String

    /// - Throws: `.invalid` when a value makes no sense.
    package init(
      name: BackendName, directory: String, nodeID: NodeID, topologies: [Topology] = [],
      overprovisionRatio: Double = 1, defaultSize: ByteCount = .gib(1), minimumSize: ByteCount = .mib(1),
      maximumSize: ByteCount = .tib(16), defaultFilesystem: FilesystemType = .ext4, directIO: Bool = true,
      executable: String
    ) throws {
      guard directory.hasPrefix("/"), directory.utf8.count <= 1024, !directory.utf8.contains(0) else {
        throw StorageError.invalid("the directory must be an absolute path of at most 1024 bytes")
      }
      guard overprovisionRatio >= 0.1, overprovisionRatio <= 1000 else {
        throw StorageError.invalid("the overprovision ratio must lie between 0.1 and 1000")
      }
      guard minimumSize > .zero, minimumSize <= defaultSize, defaultSize <= maximumSize else {
        throw StorageError.invalid("sizes must satisfy 0 < minimum <= default <= maximum")
      }
      self.name = name
      self.directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
      self.nodeID = nodeID
      self.topologies = topologies
      self.overprovisionRatio = overprovisionRatio
      self.defaultSize = defaultSize
      self.minimumSize = minimumSize
      self.maximumSize = maximumSize
      self.defaultFilesystem = defaultFilesystem
      self.directIO = directIO
      self.executable = executable
    }
  }

  /// Sizes are multiples of this: the smallest logical unit of loop devices in direct I/O, and a page.
  static let sizeUnit: Int64 = 4096
}
