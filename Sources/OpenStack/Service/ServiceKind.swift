/// A service of OpenStack that is spoken to.
package enum ServiceKind: String, Sendable, Hashable, CaseIterable {
  case blockStorage = "block-storage"
  case compute
  case sharedFileSystem = "shared-file-system"

  /// The types under which catalogues have it, the best first (OpenStack service-types authority and what stood in
  /// catalogues before it).
  package var types: [String] {
    switch self {
    case .blockStorage: ["block-storage", "volumev3", "volume", "block-store"]
    case .compute: ["compute"]
    case .sharedFileSystem: ["shared-file-system", "sharev2", "share"]
    }
  }

  /// The name before the versions of the header `OpenStack-API-Version`.
  package var versionedName: String {
    switch self {
    case .blockStorage: "volume"
    case .compute: "compute"
    case .sharedFileSystem: "shared-file-system"
    }
  }

  /// The service's own name.
  package var project: String {
    switch self {
    case .blockStorage: "Cinder"
    case .compute: "Nova"
    case .sharedFileSystem: "Manila"
    }
  }

  /// The version of the API that is spoken, as the first part of an endpoint's path.
  package var apiVersion: String {
    switch self {
    case .blockStorage: "v3"
    case .compute: "v2.1"
    case .sharedFileSystem: "v2"
    }
  }

  /// The prefixes of its keys in clouds.yaml.
  package var settingPrefixes: [String] {
    (types + (self == .sharedFileSystem ? ["shared_file_system"] : [])).map { $0.replacing("-", with: "_") }
  }
}
