import Configuration

/// cinder-csi's cloud.conf, for those who come from there.
package struct CloudConf: Sendable {
  /// `[BlockStorage]`.
  package struct BlockStorage: Sendable, Hashable {
    /// The most volumes that a node takes; nil: not said.
    package var nodeVolumeAttachLimit: Int?
    package var rescanOnResize = false
    package var ignoreVolumeAZ = false
    package var ignoreVolumeMicroversion = false
  }

  /// `[Metadata]`.
  package struct Metadata: Sendable, Hashable {
    package enum Source: String, Sendable, Hashable {
      case configDrive, metadataService
    }
    package var searchOrder: [Source] = [.configDrive, .metadataService]
    package var requestTimeout: Duration?
  }

  package private(set) var blockStorage = BlockStorage()
  package private(set) var metadata = Metadata()
  /// Keys of the sections above that mean nothing here, for a warning: `Global: kubeconfig-path`.
  package private(set) var ignored: [String] = []
  private let globals: [String: [String: String]]

  /// - Parameter files: contents with their names; what stands in later ones counts.
  /// - Throws: `ConfigurationError` that names file, line or key, and never a value.
  package init(files: [(name: String, contents: [UInt8])]) throws {
    var file = INIFile()
    for (name, contents) in files {
      do { try file.read(contents) } catch let error as ConfigurationError {
        throw ConfigurationError(error.message, source: name, line: error.line)
      }
    }
    var globals: [String: [String: String]] = [:]
    for (section, values) in file.sections where section.name == "global" { globals[section.subsection] = values }
    self.globals = globals
    func values(_ name: String) -> [String: String] { file.sections[.init(name: name, subsection: ""), default: [:]] }
    try readBlockStorage(values("blockstorage"))
    try readMetadata(values("metadata"))
    let known = Set(Self.names.keys).union(Self.switches)
    ignored += Set(globals.values.flatMap(\.keys)).subtracting(known).map { "Global: \($0)" }
    ignored.sort()
  }

  /// The names of the clouds: that of `[Global "name"]`, and `default` for `[Global]`.
  package var names: [CloudName] { globals.keys.sorted().map { CloudName($0.isEmpty ? "default" : $0) } }

  /// The clouds, those of `use-clouds` laid over what clouds.yaml says of them.
  /// - Parameter clouds: reads the clouds.yaml of a path, or the usual one.
  /// - Throws: `ConfigurationError`.
  package func configuration(
    clouds: (_ file: String?) throws -> CloudConfiguration
  ) throws -> CloudConfiguration {
    var result: [String: CloudSettings] = [:]
    for (name, values) in globals {
      result[name.isEmpty ? "default" : name] = try Self.settings(values, clouds)
    }
    return CloudConfiguration(clouds: result, profiles: [:], chosen: globals[""] == nil ? nil : "default")
  }

  private static func settings(
    _ values: [String: String], _ clouds: (String?) throws -> CloudConfiguration
  ) throws -> CloudSettings {
    var settings = CloudSettings()
    var auth = CloudSettings()
    // A trustee is a user told by keys of its own, which count more.
    let ordered = values.sorted { !$0.key.hasPrefix("trustee") && $1.key.hasPrefix("trustee") }
    for (key, text) in ordered where !text.isEmpty {
      guard let place = names[key] else { continue }
      if place.isAuth { auth.values[place.key] = .text(text) } else { settings.values[place.key] = .text(text) }
    }
    if !auth.values.isEmpty { settings.values["auth"] = .mapping(auth) }
    guard try flag("use-clouds", values) else { return settings }
    guard let name = values["cloud"], !name.isEmpty else {
      throw ConfigurationError("Global: with use-clouds, cloud must name a cloud of clouds.yaml")
    }
    let configuration = try clouds(values["clouds-file"].flatMap { $0.isEmpty ? nil : $0 })
    guard let lower = configuration.settings(name) else {
      throw ConfigurationError("Global: cloud names no cloud of clouds.yaml")
    }
    return try configuration.completed(lower).overlaid(by: settings)
  }

  /// `cloud.conf`'s keys and what clouds.yaml calls them.
  private static let names: [String: (key: String, isAuth: Bool)] = {
    var names: [String: (String, Bool)] = [
      "region": ("region_name", false), "os-endpoint-type": ("interface", false), "ca-file": ("cacert", false),
      "cert-file": ("cert", false), "key-file": ("key", false), "tls-insecure": ("insecure", false),
      "tenant-id": ("project_id", true), "tenant-name": ("project_name", true),
      "tenant-domain-id": ("project_domain_id", true), "tenant-domain-name": ("project_domain_name", true),
      "trustee-id": ("user_id", true), "trustee-password": ("password", true),
    ]
    for key in [
      "auth-url", "user-id", "username", "password", "domain-id", "domain-name", "user-domain-id", "user-domain-name",
      "application-credential-id", "application-credential-name", "application-credential-secret", "trust-id", "token",
    ] { names[key] = (key.replacing("-", with: "_"), true) }
    return names
  }()
  private static let switches: Set = ["use-clouds", "clouds-file", "cloud"]

  private static func flag(_ key: String, _ values: [String: String]) throws -> Bool {
    guard let text = values[key], !text.isEmpty else { return false }
    guard let value = CloudSettings.bool(text) else { throw ConfigurationError("\(key) must be true or false") }
    return value
  }

  private mutating func readBlockStorage(_ values: [String: String]) throws {
    for (key, text) in values {
      switch key {
      case "node-volume-attach-limit":
        guard let limit = Int(text), (1...1024).contains(limit) else {
          throw ConfigurationError("BlockStorage: \(key) must be a whole number from 1 to 1024")
        }
        blockStorage.nodeVolumeAttachLimit = limit
      case "rescan-on-resize": blockStorage.rescanOnResize = try Self.flag(key, values)
      case "ignore-volume-az": blockStorage.ignoreVolumeAZ = try Self.flag(key, values)
      case "ignore-volume-microversion": blockStorage.ignoreVolumeMicroversion = try Self.flag(key, values)
      default: ignored.append("BlockStorage: \(key)")
      }
    }
  }

  private mutating func readMetadata(_ values: [String: String]) throws {
    for (key, text) in values {
      switch key {
      case "search-order":
        metadata.searchOrder = try text.split(separator: ",").map { item in
          guard let source = Metadata.Source(rawValue: String(item.filter { $0 != " " })) else {
            throw ConfigurationError("Metadata: search-order must list configDrive and metadataService")
          }
          return source
        }
      case "request-timeout":
        guard let time = Self.duration(text) else {
          throw ConfigurationError("Metadata: request-timeout must be a time such as 5s")
        }
        metadata.requestTimeout = time
      default: ignored.append("Metadata: \(key)")
      }
    }
  }

  /// `5s`, `500ms` or `1m`; a number alone means seconds.
  private static func duration(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), (0...86_400_000).contains(number) else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": return .milliseconds(number)
    case "s", "": return .seconds(number)
    case "m": return .seconds(number * 60)
    default: return nil
    }
  }
}
