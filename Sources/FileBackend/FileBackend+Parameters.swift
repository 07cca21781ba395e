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
  /// Keys: `provisioning` = `sparse` (default) or `thick`; those of `BlockParameters`.
  package func canonical(parameters: [String: String]) throws -> [String: String] {
    var canonical: [String: String] = [:]
    for (key, value) in parameters {
      switch key {
      case "provisioning":
        guard let provisioning = Provisioning(rawValue: value) else {
          throw StorageError.invalid("provisioning must be sparse or thick")
        }
        if provisioning != .sparse { canonical[key] = provisioning.rawValue }
      case _ where try BlockParameters.read(key, value, into: &canonical): break
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
