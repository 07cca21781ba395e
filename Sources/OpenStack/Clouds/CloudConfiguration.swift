import Configuration
import Glibc

/// The clouds that the driver's files tell of.
///
/// clouds.yaml, secure.yaml and clouds-public.yaml are looked for as openstacksdk does, with one difference: the
/// current directory is not searched. A daemon's current directory is an accident, and whoever can write there would
/// choose the clouds.
package struct CloudConfiguration: Sendable {
  private var clouds: [String: CloudSettings]
  private var profiles: [String: CloudSettings]
  /// The cloud to use when nothing names one: OS_CLOUD, else the only one.
  package let defaultCloud: CloudName?
  /// The files that were read, for the log.
  package let files: [String]

  init(
    clouds: [String: CloudSettings], profiles: [String: CloudSettings], chosen: String? = nil, files: [String] = []
  ) {
    self.clouds = clouds
    self.profiles = profiles
    self.files = files
    let only = clouds.count == 1 ? clouds.keys.first : nil
    defaultCloud = (chosen ?? only).map { CloudName($0) }
  }

  /// In ascending order.
  package var names: [CloudName] { clouds.keys.sorted().map { CloudName($0) } }

  /// One cloud. Clouds are read when they are asked for: one that is no good does not spoil the others.
  /// - Throws: `ConfigurationError` that names the cloud and the key, and never a value.
  package func cloud(_ name: CloudName) throws -> Cloud {
    guard let settings = clouds[name.rawValue] else {
      throw ConfigurationError("no cloud of this name is configured; known are \(list(names.map(\.rawValue)))")
    }
    do { return try Cloud(name: name, settings: completed(settings)) } catch let error as ConfigurationError {
      throw ConfigurationError("cloud \(name): \(error.message)")
    }
  }

  private func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }

  /// The settings with those of their profile below them. `cloud` is the profile's old key.
  func completed(_ settings: CloudSettings) throws -> CloudSettings {
    guard let name = try settings.text(["profile", "cloud"]) else { return settings }
    guard let profile = profiles[name] else {
      throw ConfigurationError(
        name.contains("://")
          ? "profile must be a name in clouds-public.yaml: profiles are not fetched from addresses"
          : "profile names nothing in clouds-public.yaml; known are \(list(profiles.keys.sorted()))")
    }
    return profile.overlaid(by: settings)
  }

  /// The settings of one cloud, for those that lay theirs over them.
  func settings(_ name: String) -> CloudSettings? { clouds[name] }
}

extension CloudConfiguration {
  package static let cloudsVariable = "OS_CLIENT_CONFIG_FILE"
  package static let secureVariable = "OS_CLIENT_SECURE_FILE"
  package static let vendorVariable = "OS_CLIENT_VENDOR_FILE"
  package static let cloudVariable = "OS_CLOUD"

  /// Reads the files. No file at all is no error: there are no clouds then.
  /// - Parameters:
  ///   - cloudsFile: read instead of searching; must exist.
  ///   - read: the bytes of a file, nil when there is none. Throws when it cannot be read.
  /// - Throws: `ConfigurationError` with file and line.
  package static func load(
    environment: [String: String], cloudsFile: String? = nil, read: (String) throws -> [UInt8]? = contents
  ) throws -> CloudConfiguration {
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    var files: [String] = []
    /// The first of the files that exists; one that is named must.
    func find(_ base: String, named: String?) throws -> CloudSettings {
      for path in named.map({ [$0] }) ?? places(of: base, environment: environment) {
        guard let bytes = try read(path) else {
          if named == nil { continue }
          throw ConfigurationError("there is no such file", source: path)
        }
        files.append(path)
        do { return try CloudSettings(parsing: bytes) } catch let error as ConfigurationError {
          throw ConfigurationError(error.message, source: path, line: error.line)
        }
      }
      return CloudSettings()
    }
    let open = try find("clouds", named: cloudsFile ?? variable(cloudsVariable))
    let secure = try find("secure", named: variable(secureVariable))
    let vendors = try find("clouds-public", named: variable(vendorVariable))
    return CloudConfiguration(
      clouds: try mappings(in: open.overlaid(by: secure), "clouds"),
      profiles: try mappings(in: vendors, "public-clouds"),
      chosen: variable(cloudVariable), files: files)
  }

  static func mappings(in settings: CloudSettings, _ key: String) throws -> [String: CloudSettings] {
    guard let clouds = try settings.mapping(key) else { return [:] }
    var result: [String: CloudSettings] = [:]
    for name in clouds.values.keys { result[name] = try clouds.mapping(name) }
    return result
  }

  /// Where openstacksdk looks, without the current directory.
  private static func places(of base: String, environment: [String: String]) -> [String] {
    var directories: [String] = []
    if let config = environment["XDG_CONFIG_HOME"], config.hasPrefix("/") {
      directories.append("\(config)/openstack")
    } else if let home = environment["HOME"], home.hasPrefix("/") {
      directories.append("\(home)/.config/openstack")
    }
    directories.append("/etc/openstack")
    return directories.flatMap { directory in ["yaml", "yml", "json"].map { "\(directory)/\(base).\($0)" } }
  }

  /// The bytes of a file; nil when there is none.
  package static func contents(of path: String) throws -> [UInt8]? {
    if access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR { return nil }
    return try Configuration.contents(of: path)
  }
}
