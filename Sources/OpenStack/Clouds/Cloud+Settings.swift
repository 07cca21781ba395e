import Configuration
import HTTP

extension Cloud {
  /// Reads a cloud in the vocabulary of clouds.yaml. Keys that mean nothing here are passed over, as openstacksdk does:
  /// clouds.yaml serves many programs.
  /// - Throws: `ConfigurationError` that names the key and never the value.
  init(name: CloudName, settings: CloudSettings) throws {
    let settings = try settings.inRegion()
    let auth = AuthSettings(auth: try settings.mapping("auth") ?? CloudSettings(), cloud: settings)
    let identity = try auth.identity()
    guard let authURL = try Self.address("auth_url", auth.text("auth_url")) else { throw auth.missing("auth_url") }
    self.init(
      name: name, authURL: authURL, identity: identity, scope: try auth.scope(),
      region: try settings.text("region_name"),
      interface: try Self.interface(settings), tls: try Self.tls(settings))
    if let version = try settings.text("identity_api_version"), version.prefix(while: { $0 != "." }) != "3" {
      throw ConfigurationError("identity_api_version must be 3")
    }
    for service in ServiceKind.allCases {
      for prefix in service.settingPrefixes.reversed() { try apply(service, prefix: prefix, settings) }
    }
  }

  private mutating func apply(_ service: ServiceKind, prefix: String, _ settings: CloudSettings) throws {
    let major = service.apiVersion.dropFirst().prefix { $0 != "." }
    if let version = try settings.text("\(prefix)_api_version"), version.prefix(while: { $0 != "." }) != major {
      throw ConfigurationError("\(prefix)_api_version must be \(major)")
    }
    if let text = try settings.text("\(prefix)_default_microversion") {
      guard let version = Microversion(text) else {
        throw ConfigurationError("\(prefix)_default_microversion must be a microversion such as \(major).60")
      }
      microversions[service] = version
    }
    let key = ["\(prefix)_endpoint_override", "\(prefix)_endpoint"]
    if let address = try Self.address(key[0], settings.text(key)) { endpoints[service] = address }
  }

  private static func address(_ key: String, _ text: String?) throws -> String? {
    guard let text else { return nil }
    guard ServiceAddress(text) != nil else {
      throw ConfigurationError("\(key) must be an address such as https://keystone.example/v3, without a user")
    }
    return text
  }

  private static func interface(_ settings: CloudSettings) throws -> Interface {
    guard var text = try settings.text(["interface", "endpoint_type"]) else { return .public }
    if text.hasSuffix("URL") { text.removeLast(3) }
    guard let interface = Interface(rawValue: text) else {
      throw ConfigurationError("interface must be public, internal or admin")
    }
    return interface
  }

  private static func tls(_ settings: CloudSettings) throws -> TLSOptions {
    var tls = TLSOptions(
      authorityFile: try settings.text("cacert"), authority: try settings.text(CloudSettings.authorityText),
      clientCertificateFile: try settings.text("cert"), clientKeyFile: try settings.text("key"))
    for (key, path) in [
      ("cacert", tls.authorityFile), ("cert", tls.clientCertificateFile), ("key", tls.clientKeyFile),
    ] {
      guard let path else { continue }
      guard path.hasPrefix("/"), !path.utf8.contains(0) else {
        throw ConfigurationError("\(key) must be an absolute path")
      }
    }
    if (tls.clientCertificateFile == nil) != (tls.clientKeyFile == nil) {
      throw ConfigurationError("cert and key belong together")
    }
    tls.isInsecure = try settings.bool("insecure") ?? (settings.bool("verify") == false)
    return tls
  }
}

extension CloudSettings {
  /// A key of our own, that no file can hold: an authority's certificate as text.
  static let authorityText = "\0authority"

  /// The settings with those of the chosen region in front: `region_name`, else the first of `regions`.
  fileprivate func inRegion() throws -> CloudSettings {
    guard let list = values["regions"] else { return self }
    guard case .list(let regions) = list else { throw ConfigurationError("regions must be a list") }
    let wanted = try text("region_name")
    for region in regions {
      switch region {
      case .text(let name) where wanted ?? name == name:
        return overlaid(by: CloudSettings(["region_name": .text(name)]))
      case .mapping(let mapping):
        guard let name = try mapping.text("name") else { throw ConfigurationError("regions: a name is missing") }
        guard wanted ?? name == name else { continue }
        return overlaid(by: try mapping.mapping("values") ?? CloudSettings())
          .overlaid(by: CloudSettings(["region_name": .text(name)]))
      case .list: throw ConfigurationError("regions must be a list of names or mappings")
      default: continue
      }
    }
    return self
  }
}

/// The keys of `auth`. Those that are no secrets may stand beside `auth` too, as in old files.
private struct AuthSettings {
  let auth: CloudSettings
  let cloud: CloudSettings

  func text(_ keys: String...) throws -> String? { try auth.text(keys) ?? cloud.text(keys) }

  func missing(_ key: String) -> ConfigurationError { ConfigurationError("auth: \(key) is missing") }

  func identity() throws -> Identity {
    switch try kind() {
    case .password:
      guard let password = try auth.text("password") else { throw missing("password") }
      guard let user = try user() else { throw missing("username or user_id") }
      return .password(user: user, password: Secret(password))
    case .applicationCredential:
      guard let secret = try auth.text("application_credential_secret") else {
        throw missing("application_credential_secret")
      }
      if let id = try text("application_credential_id") {
        return .applicationCredential(.id(id), user: nil, secret: Secret(secret))
      }
      guard let name = try text("application_credential_name") else { throw missing("application_credential_id") }
      guard let user = try user() else { throw missing("username or user_id") }
      return .applicationCredential(.name(name), user: user, secret: Secret(secret))
    case .token:
      guard let token = try auth.text("token") else { throw missing("token") }
      guard Self.isHeaderValue(token) else { throw ConfigurationError("auth: token holds characters of no token") }
      return .token(Secret(token))
    }
  }

  private enum Kind { case password, token, applicationCredential }

  /// What `auth_type` says, or else what the given secrets are for.
  private func kind() throws -> Kind {
    switch try cloud.text("auth_type") {
    case "password", "v3password": .password
    case "token", "v3token": .token
    case "v3applicationcredential": .applicationCredential
    case nil:
      if try auth.text("application_credential_secret") != nil {
        .applicationCredential
      } else if try auth.text("password") == nil, try auth.text("token") != nil {
        .token
      } else {
        .password
      }
    default:
      throw ConfigurationError("auth_type must be password, v3password, token, v3token or v3applicationcredential")
    }
  }

  private func user() throws -> Identity.User? {
    if let id = try text("user_id") { return .id(id) }
    guard let name = try text("username", "user_name") else { return nil }
    guard let domain = try domain("user_domain") else { throw missing("user_domain_name or user_domain_id") }
    return .name(name, domain: domain)
  }

  func scope() throws -> Scope? {
    let kind = try kind()
    if let trust = try text("trust_id") { return .trust(trust) }
    // The credential brings its project; Keystone refuses a scope beside it.
    if kind == .applicationCredential { return nil }
    if let id = try text("project_id", "tenant_id") { return .projectID(id) }
    if let name = try text("project_name", "tenant_name") {
      guard let domain = try domain("project_domain") else { throw missing("project_domain_name or project_domain_id") }
      return .project(name, domain: domain)
    }
    if try text("system_scope") != nil { return .system }
    if let id = try text("domain_id") { return .domain(.id(id)) }
    if let name = try text("domain_name") { return .domain(.name(name)) }
    if kind == .token { return nil }
    throw missing("project_name or project_id")
  }

  /// The domain of a user or a project: its own, else the one for both.
  private func domain(_ prefix: String) throws -> Identity.Name? {
    if let id = try text("\(prefix)_id") { return .id(id) }
    if let name = try text("\(prefix)_name") { return .name(name) }
    if let id = try text("domain_id") { return .id(id) }
    if let name = try text("domain_name") { return .name(name) }
    if let id = try text("default_domain_id", "default_domain") { return .id(id) }
    return try text("default_domain_name").map { .name($0) }
  }

  private static func isHeaderValue(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}
