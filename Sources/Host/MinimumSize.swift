import Storage

extension StorageBackend {
  /// The least size that `content` works in: what mkfs.xfs accepts, and the least that btrfs can be resized to, for a
  /// smaller one could be restored into a bigger volume but never grow there. Encryption takes its header besides.
  /// - Parameter floor: the least that is configured.
  package func minimumSize(
    for content: VolumeContent, _ parameters: [String: String], atLeast floor: ByteCount
  ) -> ByteCount {
    let needed: ByteCount =
      switch content {
      case .block: .zero
      case .filesystem(.ext4): .mib(1)
      case .filesystem(.xfs): .mib(300)
      case .filesystem(.btrfs): .mib(256)
      }
    let header = VolumeEncryption(canonical: parameters) == nil ? .zero : Encryption.headerSize
    return max(needed, floor) + header
  }

  /// The least size of a volume that has any of these capabilities; without capabilities `floor`.
  package func minimumSize(
    for capabilities: [VolumeCapability], _ parameters: [String: String], atLeast floor: ByteCount
  ) -> ByteCount {
    capabilities.map { capability in
      minimumSize(
        for: capability.mount.map { .filesystem($0.filesystem ?? defaultFilesystem) } ?? .block, parameters,
        atLeast: floor)
    }.max() ?? floor
  }
}
