import Configuration
import Storage

/// Which cloud a call means, and as whom: what its secrets say.
package enum CloudChoice: Sendable, Hashable {
  /// The driver's own.
  case standard
  /// A configured cloud by name, cinder-csi's way (key `cloud`).
  case configured(CloudName)
  /// A cloud with credentials of its own.
  case own(Cloud)

  /// Reads the secrets of a StorageClass: `cloud`, or a whole `clouds.yaml` (then `cloud` says which of it), or
  /// manila-csi's keys `os-...`.
  ///
  /// A secret may be a tenant's, so it cannot name files of the driver's host: certificates come as text or not at all.
  /// - Throws: `ConfigurationError` that names the key and never the value.
  package init(secrets: Secrets) throws {
    func text(_ key: String) -> String? { secrets.reveal(key).flatMap { $0.isEmpty ? nil : $0 } }
    if let document = text("clouds.yaml") {
      self = .own(try Self.cloud(document: document, name: text("cloud")))
    } else if Self.files.keys.contains(where: { text($0) != nil })
      || Self.texts.keys.contains(where: { text($0) != nil })
    {
      if text("cloud") != nil { throw ConfigurationError("the keys cloud and os-... exclude each other") }
      self = .own(try Self.cloud(text))
    } else if let name = text("cloud") {
      self = .configured(CloudName(name))
    } else {
      self = .standard
    }
  }

  private static func cloud(document: String, name: String?) throws -> Cloud {
    let clouds: CloudConfiguration
    do {
      let settings = try CloudSettings(parsing: Array(document.utf8))
      clouds = CloudConfiguration(
        clouds: try CloudConfiguration.mappings(in: settings, "clouds"), profiles: [:], chosen: name)
    } catch let error as ConfigurationError {
      throw ConfigurationError("clouds.yaml: \(error.message)", line: error.line)
    }
    guard let chosen = clouds.defaultCloud else {
      throw ConfigurationError("clouds.yaml holds no cloud, or several: the key cloud must say which")
    }
    guard clouds.settings(chosen.rawValue) != nil else {
      throw ConfigurationError("cloud names no cloud of the secret's clouds.yaml")
    }
    let cloud = try clouds.cloud(chosen)
    if cloud.tls.authorityFile != nil { throw fileRefused("cacert") }
    if cloud.tls.clientKeyFile != nil { throw fileRefused("key") }
    return cloud
  }

  private static func cloud(_ text: (String) -> String?) throws -> Cloud {
    for (key, isSwitch) in files where text(key) != nil {
      if isSwitch, let value = text(key), CloudSettings.bool(value) == false { continue }
      throw fileRefused(key)
    }
    var settings = CloudSettings()
    var auth = CloudSettings()
    // A trustee is a user told by keys of its own, which count more.
    for (key, place) in texts.sorted(by: { !$0.key.contains("trustee") && $1.key.contains("trustee") }) {
      guard let value = text(key) else { continue }
      if place.isAuth { auth.values[place.key] = .text(value) } else { settings.values[place.key] = .text(value) }
    }
    settings.values["auth"] = .mapping(auth)
    return try Cloud(name: CloudName("secret"), settings: settings)
  }

  private static func fileRefused(_ key: String) -> ConfigurationError {
    ConfigurationError("\(key) would read a file of the driver's host, which a secret cannot ask for")
  }

  /// Keys of manila-csi that name files; true for those that only switch it on.
  private static let files = [
    "os-useClouds": true, "os-cloudsFile": false, "os-cloud": false, "os-certAuthorityPath": false,
    "os-clientCertPath": false, "os-clientKeyPath": false,
  ]

  /// manila-csi's keys, and cinder-csi's user name for the same, and what clouds.yaml calls them.
  private static let texts: [String: (key: String, isAuth: Bool)] = [
    "os-authURL": ("auth_url", true), "os-userID": ("user_id", true), "os-userName": ("username", true),
    "os-password": ("password", true), "os-projectID": ("project_id", true), "os-projectName": ("project_name", true),
    "os-domainID": ("domain_id", true), "os-domainName": ("domain_name", true),
    "os-projectDomainID": ("project_domain_id", true), "os-projectDomainName": ("project_domain_name", true),
    "os-userDomainID": ("user_domain_id", true), "os-userDomainName": ("user_domain_name", true),
    "os-applicationCredentialID": ("application_credential_id", true),
    "os-applicationCredentialName": ("application_credential_name", true),
    "os-applicationCredentialSecret": ("application_credential_secret", true),
    "os-trustID": ("trust_id", true), "os-trusteeID": ("user_id", true), "os-trusteePassword": ("password", true),
    "os-token": ("token", true), "os-region": ("region_name", false), "os-endpointType": ("interface", false),
    "os-certAuthority": (CloudSettings.authorityText, false), "os-TLSInsecure": ("insecure", false),
  ]
}
