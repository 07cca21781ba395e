import Storage

/// Everything that `stowage serve` can be told, with its defaults.
///
/// Later sources win: defaults, the file, the environment, the command line. docs/configuration.md has each key.
package struct Configuration: Hashable, Sendable {
  package static let defaultDriverName = "file.csi.stowage.dev"

  package var driverName = Configuration.defaultDriverName
  package var mode = ServiceMode.all
  /// nil: the host's name.
  package var nodeID: String?
  /// 0: the CO decides (CSI spec, NodeGetInfoResponse).
  package var maxVolumesPerNode = 0
  package var endpoint: String?
  package var httpEndpoint: String?
  /// Permission bits of the socket.
  package var socketMode: UInt32 = 0o660
  package var logFormat = LogFormat.auto
  package var logLevel = LogLevel.info
  /// Seconds that calls in flight get at SIGTERM before they are cancelled.
  package var grace = 25
  /// Directories that staging and target paths must lie in; empty: anywhere.
  package var allowedPaths: [String] = []
  /// Whether capabilities that only CSI 1.13 knows are advertised.
  package var advertise113 = false
  /// The largest inline ephemeral volume that a pod may ask for.
  package var ephemeralLimit = ByteCount.gib(100)
  /// Who makes volumes larger.
  package var expansion = Expansion.controller
  /// Where the control groups of pods are.
  package var cgroupRoot = "/sys/fs/cgroup"
  /// A file of what the cluster knows, for the metric of orphans; nil: not counted.
  package var references: String?
  /// Threads for calls that block.
  package var threads = 16
  /// The first one serves requests that name none.
  package var backends: [BackendConfiguration] = []

  package init() {}

  /// The keys of the file outside `backends`, and their environment variables.
  package static let settings: [Setting<Configuration>] = [
    .value(
      "driverName", \.driverName, environment: "STOWAGE_DRIVER_NAME", "the name of the driver",
      parse: Parse.driverName),
    .value(
      "mode", \.mode, environment: "STOWAGE_MODE", "the services to serve", parse: Parse.choice(ServiceMode.self)),
    .value("nodeID", \.nodeID, environment: "STOWAGE_NODE_ID", "the id of this node", parse: Parse.nodeID),
    .value(
      "maxVolumesPerNode", \.maxVolumesPerNode, environment: "STOWAGE_MAX_VOLUMES_PER_NODE",
      "how many volumes a node takes, 0 for no limit", parse: Parse.integer(0...1_000_000)),
    .value("endpoint", \.endpoint, environment: "CSI_ENDPOINT", "the socket to serve on", parse: { $0 }),
    .value(
      "httpEndpoint", \.httpEndpoint, environment: "STOWAGE_HTTP_ENDPOINT", "host:port of /metrics and /healthz",
      parse: Parse.hostPort),
    .value(
      "socketMode", \.socketMode, environment: "STOWAGE_SOCKET_MODE", "permission bits of the socket",
      parse: Parse.mode),
    .value(
      "logFormat", \.logFormat, environment: "STOWAGE_LOG_FORMAT", "the form of log lines",
      parse: Parse.choice(LogFormat.self)),
    .value(
      "logLevel", \.logLevel, environment: "STOWAGE_LOG_LEVEL", "the least level that is logged",
      parse: Parse.choice(LogLevel.self)),
    .value(
      "grace", \.grace, environment: "STOWAGE_GRACE", "seconds for calls in flight at the end",
      parse: Parse.integer(0...3600)),
    .list(
      "allowedPaths", \.allowedPaths, environment: "STOWAGE_ALLOWED_PATHS", "where volumes may be mounted",
      parse: Parse.absolutePath),
    .value(
      "advertise113", \.advertise113, environment: "STOWAGE_ADVERTISE_113", "advertise what only CSI 1.13 knows",
      parse: Parse.bool),
    .value(
      "ephemeralLimit", \.ephemeralLimit, environment: "STOWAGE_EPHEMERAL_LIMIT",
      "the largest inline ephemeral volume", parse: Parse.size),
    .value(
      "expansion", \.expansion, environment: "STOWAGE_EXPANSION", "who makes volumes larger",
      parse: Parse.choice(Expansion.self)),
    .value(
      "cgroupRoot", \.cgroupRoot, environment: "STOWAGE_CGROUP_ROOT", "where the control groups of pods are",
      parse: Parse.absolutePath),
    .value(
      "references", \.references, environment: "STOWAGE_REFERENCES", "what the cluster knows, for the metric of orphans",
      parse: Parse.absolutePath),
    .value(
      "threads", \.threads, environment: "STOWAGE_THREADS", "threads for calls that block",
      parse: Parse.integer(1...256)),
  ]

  /// Sets one value as the command line gives it.
  /// - Parameter source: the flag, for messages.
  /// - Throws: `ConfigurationError`.
  package mutating func set(_ key: String, to text: String, source: String) throws {
    guard let setting = Self.settings.first(where: { $0.key == key }) else {
      throw ConfigurationError(unknown(key, known: Self.settings.map(\.key)), source: source)
    }
    do { try setting.apply(text, to: &self) } catch let error as ConfigurationError {
      throw error.located(in: source)
    }
  }

  /// Takes over what the environment says. Empty variables count as not set; unknown ones are not looked at, since
  /// Kubernetes puts variables named after services there.
  package mutating func apply(environment: [String: String]) throws {
    for setting in Self.settings {
      guard let name = setting.environment, let text = environment[name], !text.isEmpty else { continue }
      try set(setting.key, to: text, source: name)
    }
  }

  /// Takes over a configuration file.
  /// - Parameter source: its path, for messages.
  /// - Throws: `ConfigurationError` with file and line.
  package mutating func apply(file text: [UInt8], source: String) throws {
    do {
      guard let root = try YAMLReader.parse(text) else { return }
      guard case .mapping(let entries) = root.content else {
        throw ConfigurationError("the file must be a mapping of keys to values", line: root.line)
      }
      try setFields(of: &self, from: entries, settings: Self.settings, elsewhere: ["backends"])
      if let listed = entries.first(where: { $0.key == "backends" }) {
        backends = try BackendConfiguration.list(listed)
      }
    } catch let error as ConfigurationError {
      throw error.located(in: source)
    }
  }
}
