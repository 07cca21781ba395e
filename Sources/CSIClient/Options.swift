import ArgumentParser
import CSI
import Configuration
import GRPC
import Glibc

/// Where to call and how to show the answer.
struct ConnectionOptions: ParsableArguments {
  @Option(help: "The driver's socket: unix:///run/csi/csi.sock or a path. Default: $CSI_ENDPOINT.")
  var endpoint: String?

  @Option(help: "How long to wait for the answer: 60, 90s, 5m, 250ms; 0 for ever.")
  var timeout = Span(seconds: 60)

  @Option(name: [.customShort("o"), .long], help: "How to show the answer: table or json.")
  var output = OutputFormat.table

  /// - Throws: `ValidationError` when no endpoint is known or it is no socket path.
  func address(environment: [String: String]) throws -> Endpoint {
    guard let text = endpoint ?? environment["CSI_ENDPOINT"], !text.isEmpty else {
      throw ValidationError("Where is the driver? Give --endpoint unix:///run/csi/csi.sock or set CSI_ENDPOINT.")
    }
    do { return try Endpoint(parsing: text) } catch { throw ValidationError("\(error)") }
  }
}

/// The capability that a volume is made, staged or published for.
struct CapabilityOptions: ParsableArguments {
  @Option(name: .customLong("fs"), help: "The file system: ext4, xfs, btrfs. Default: the driver's choice.")
  var filesystem: String?

  @Flag(help: "A raw block device instead of a file system.")
  var block = false

  @Option(help: "The access mode; RWO, ROX, RWX and RWOP are understood.")
  var mode = ModeArgument(.singleNodeWriter)

  @Option(name: .customLong("mount-flag"), help: ArgumentHelp("A mount option; may be repeated.", valueName: "option"))
  var mountFlags: [String] = []

  @Option(
    name: .customLong("mount-group"), help: ArgumentHelp("The group that shall own the volume.", valueName: "gid"))
  var mountGroup: String?

  func validate() throws {
    if block, filesystem != nil || !mountFlags.isEmpty || mountGroup != nil {
      throw ValidationError("--block excludes --fs, --mount-flag and --mount-group.")
    }
  }

  var capability: VolumeCapability {
    let access: VolumeCapability.AccessType =
      block
      ? .block(.init())
      : .mount(.init(fsType: filesystem ?? "", mountFlags: mountFlags, volumeMountGroup: mountGroup ?? ""))
    return VolumeCapability(accessType: access, accessMode: .init(mode: mode.mode))
  }
}

/// Credentials of a call. There is no flag that takes them: every user of a host can read the arguments of a process.
struct SecretOptions: ParsableArguments {
  @Option(
    help: "A YAML or JSON file of the call's secrets, - for stdin. Default: $STOWAGE_CSI_SECRETS_FILE, or none.")
  var secrets: String?

  /// - Throws: `ValidationError` when the file cannot be read or is no mapping of texts.
  func load(environment: [String: String]) throws -> SecretMap {
    guard let path = secrets ?? environment["STOWAGE_CSI_SECRETS_FILE"], !path.isEmpty else { return [:] }
    do {
      let text = path == "-" ? try standardInput() : try Configuration.contents(of: path)
      let problem = ConfigurationError("secrets must be a mapping of names to texts", source: path)
      guard case .mapping(let entries)? = try YAMLReader.parse(text)?.content else { throw problem }
      var result: [String: String] = [:]
      for entry in entries {
        guard case .scalar(let value, _) = entry.value.content else { throw problem }
        result[entry.key] = value
      }
      return SecretMap(result)
    } catch { throw ValidationError("\(error)") }
  }
}

/// Where a volume shall be reachable.
struct TopologyOptions: ParsableArguments {
  @Option(
    name: .customLong("topology"),
    help: ArgumentHelp(
      "A place that the volume must be reachable from; all segments of one place with commas, may be repeated.",
      valueName: "key=value,..."))
  var places: [String] = []

  /// One topology for each use of the flag.
  func topologies() throws -> [Topology] {
    try places.map { place in
      let pairs = try place.split(separator: ",").map { part in
        guard let pair = KeyValue(argument: String(part)) else {
          throw ValidationError("--topology \(place): \"\(part)\" is not key=value.")
        }
        return pair
      }
      return Topology(segments: try pairs.dictionary("--topology"))
    }
  }
}

/// What of a list is wanted.
struct PageOptions: ParsableArguments {
  @Option(name: .customLong("max"), help: ArgumentHelp("At most so many entries; 0: all.", valueName: "count"))
  var maxEntries: Int32 = 0

  @Option(name: .customLong("token"), help: "Go on where the answer with this next_token ended.")
  var startingToken = ""
}

/// Everything on stdin, within the size that requests can have.
func standardInput() throws -> [UInt8] {
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(STDIN_FILENO, &chunk, chunk.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw ValidationError("Cannot read stdin: \(String(cString: strerror(errno))).") }
    if count == 0 { return bytes }
    bytes += chunk[..<count]
    guard bytes.count <= 8 << 20 else { throw ValidationError("stdin holds more than a request can.") }
  }
}
