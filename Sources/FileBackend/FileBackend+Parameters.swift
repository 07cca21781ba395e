import Host
import Storage

/// Whether a volume's space is taken when it is made.
enum Provisioning: String, CaseIterable {
  /// Blocks are taken when they are first written.
  case sparse
  /// All blocks are taken at creation and at growth.
  case thick

  init(canonical parameters: [String: String]) {
    self = parameters["provisioning"].flatMap(Provisioning.init(rawValue:)) ?? .sparse
  }
}

extension VolumeEncryption {
  init?(canonical parameters: [String: String]) {
    guard let encryption = parameters["encryption"].flatMap(VolumeEncryption.init(rawValue:)) else { return nil }
    self = encryption
  }
}

extension FileBackend {
  /// Keys: `provisioning` = `sparse` (default) or `thick`; `mkfsOptions` = arguments for mkfs, parted by spaces;
  /// `encryption` = `luks2`, left out for none.
  ///
  /// Checked and left out: `fsType` and `fstype` (the CO tells the file system in the capability as well) and the
  /// deprecated `csi...SecretName` and `csi...SecretNamespace` keys, which some provisioners leave in.
  package func canonical(parameters: [String: String]) throws -> [String: String] {
    var canonical: [String: String] = [:]
    for (key, value) in parameters {
      switch key {
      case "provisioning":
        guard let provisioning = Provisioning(rawValue: value) else {
          throw StorageError.invalid("provisioning must be sparse or thick")
        }
        if provisioning != .sparse { canonical[key] = provisioning.rawValue }
      case "mkfsOptions":
        let arguments = MkfsOptions.split(value)
        try MkfsOptions.check(arguments, for: nil)
        if !arguments.isEmpty { canonical[key] = arguments.joined(separator: " ") }
      case "encryption":
        guard let encryption = VolumeEncryption(rawValue: value) else {
          throw StorageError.invalid("encryption must be luks2, or be left out")
        }
        canonical[key] = encryption.rawValue
      case "fsType", "fstype":
        guard value.isEmpty || FilesystemType(rawValue: value) != nil else {
          throw StorageError.invalid("\(key) must be ext4, xfs or btrfs")
        }
      case _ where key.hasPrefix("csi") && (key.hasSuffix("SecretName") || key.hasSuffix("SecretNamespace")):
        break
      default:
        throw StorageError.invalid(
          "unknown parameter '\(key.prefix(64))'; known are provisioning, mkfsOptions and encryption")
      }
    }
    return canonical
  }

  /// Snapshots take no parameters.
  package func canonical(snapshotParameters: [String: String]) throws -> [String: String] {
    if let key = snapshotParameters.keys.min() {
      throw StorageError.invalid("unknown snapshot parameter '\(key.prefix(64))'; there are none")
    }
    return [:]
  }
}
