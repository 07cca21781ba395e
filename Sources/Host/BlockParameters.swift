import Storage

/// The StorageClass parameters that all backends of block volumes take.
package enum BlockParameters {
  /// Reads one. `mkfsOptions`: arguments for mkfs, parted by spaces; `encryption`: `luks2`, or `none`, which is left
  /// out. Checked and left out: `fsType` and `fstype` (the CO tells the file system in the capability as well) and the
  /// deprecated `csi...SecretName` and `csi...SecretNamespace` keys, which some provisioners leave in.
  /// - Returns: false for any other key.
  /// - Throws: `StorageError.invalid` for a bad value.
  package static func read(_ key: String, _ value: String, into canonical: inout [String: String]) throws -> Bool {
    switch key {
    case "mkfsOptions":
      let arguments = MkfsOptions.split(value)
      try MkfsOptions.check(arguments, for: nil)
      if !arguments.isEmpty { canonical[key] = arguments.joined(separator: " ") }
    case "encryption":
      if let encryption = VolumeEncryption(rawValue: value) {
        canonical[key] = encryption.rawValue
      } else if value != "none" {
        throw StorageError.invalid("encryption must be luks2 or none")
      }
    case "fsType", "fstype":
      guard value.isEmpty || FilesystemType(rawValue: value) != nil else {
        throw StorageError.invalid("\(key) must be ext4, xfs or btrfs")
      }
    default:
      return isSecretReference(key)
    }
    return true
  }

  /// A deprecated key that names a secret rather than holds one.
  package static func isSecretReference(_ key: String) -> Bool {
    key.hasPrefix("csi") && (key.hasSuffix("SecretName") || key.hasSuffix("SecretNamespace"))
  }
}
