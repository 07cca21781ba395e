/// How full a pool is that many volumes share.
package struct PoolUsage: Hashable, Sendable {
  /// What the backend calls it.
  package var name: String
  package var usedData: ByteCount
  package var totalData: ByteCount
  package var usedMetadata: ByteCount
  package var totalMetadata: ByteCount
  package init(
    name: String, usedData: ByteCount, totalData: ByteCount, usedMetadata: ByteCount, totalMetadata: ByteCount
  ) {
    self.name = name
    self.usedData = usedData
    self.totalData = totalData
    self.usedMetadata = usedMetadata
    self.totalMetadata = totalMetadata
  }
}

/// Volumes take their space from pools that can be watched.
package protocol PoolReportingBackend: StorageBackend {
  /// Each pool once, without those that cannot be looked at now. Cheap.
  func pools() async throws -> [PoolUsage]
}

/// A backend that works through commands of its storage system, such as LVM's, and counts them since the start.
package protocol CommandCountingBackend: StorageBackend {
  var commands: Int { get }
}
