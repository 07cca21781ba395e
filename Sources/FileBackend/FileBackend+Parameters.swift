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

extension FileBackend {
  /// Keys: `provisioning` = `sparse` (default) or `thick`; `mkfsOptions` = arguments for mkfs, parted by spaces.
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
      case "fsType", "fstype":
        guard value.isEmpty || FilesystemType(rawValue: value) != nil else {
          throw StorageError.invalid("\(key) must be ext4, xfs or btrfs")
        }
      case _ where key.hasPrefix("csi") && (key.hasSuffix("SecretName") || key.hasSuffix("SecretNamespace")):
        break
      default:
        throw StorageError.invalid("unknown parameter '\(key.prefix(64))'; known are provisioning and mkfsOptions")
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
