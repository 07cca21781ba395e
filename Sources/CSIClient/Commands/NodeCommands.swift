import ArgumentParser
import CSI

/// What the earlier steps of a volume's life answered and the node steps need.
struct ContextOptions: ParsableArguments {
  @Option(
    name: .customLong("publish-context"),
    help: ArgumentHelp("An entry of what controller-publish answered; may be repeated.", valueName: "key=value"))
  var publishContext: [KeyValue] = []

  @Option(
    name: .customLong("volume-context"),
    help: ArgumentHelp("An entry of the volume's context; may be repeated.", valueName: "key=value"))
  var volumeContext: [KeyValue] = []
}

struct Stage: RPCCommand {
  static let method = Methods.nodeStageVolume
  static let configuration = help(
    "stage", "Bring a volume to this node: connect it, make a file system if it has none, mount it.",
    "The staging directory must exist. Every publish on this node takes it from there.",
    examples: ["stage data --staging /run/demo/stage --fs ext4", "stage disk --staging /run/demo/disk --block"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("The staging directory.", valueName: "path")) var staging: String
  @OptionGroup var capability: CapabilityOptions
  @OptionGroup var contexts: ContextOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> NodeStageVolumeRequest {
    .init(
      volumeID: volumeID, publishContext: try contexts.publishContext.dictionary("--publish-context"),
      stagingTargetPath: staging, volumeCapability: capability.capability,
      secrets: try secrets.load(environment: environment),
      volumeContext: try contexts.volumeContext.dictionary("--volume-context"))
  }
}

struct Unstage: RPCCommand {
  static let method = Methods.nodeUnstageVolume
  static let configuration = help("unstage", "Take a volume away from this node.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("The staging directory.", valueName: "path")) var staging: String

  func request(environment: [String: String]) -> NodeUnstageVolumeRequest {
    .init(volumeID: volumeID, stagingTargetPath: staging)
  }
}

struct Publish: RPCCommand {
  static let method = Methods.nodePublishVolume
  static let configuration = help(
    "publish", "Show a staged volume at a path.",
    "The target's parent directory must exist; the target itself is made.",
    examples: ["publish data --staging /run/demo/stage --target /run/demo/target --fs ext4"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("The staging directory of \"stage\".", valueName: "path")) var staging: String = ""
  @Option(help: ArgumentHelp("Where it shall appear: a directory, or a file for --block.", valueName: "path"))
  var target: String
  @OptionGroup var capability: CapabilityOptions
  @Flag(help: "For reading only.") var readOnly = false
  @OptionGroup var contexts: ContextOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> NodePublishVolumeRequest {
    .init(
      volumeID: volumeID, publishContext: try contexts.publishContext.dictionary("--publish-context"),
      stagingTargetPath: staging, targetPath: target, volumeCapability: capability.capability, readonly: readOnly,
      secrets: try secrets.load(environment: environment),
      volumeContext: try contexts.volumeContext.dictionary("--volume-context"))
  }
}

struct Unpublish: RPCCommand {
  static let method = Methods.nodeUnpublishVolume
  static let configuration = help("unpublish", "Take a volume away from a path.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("Where it appears.", valueName: "path")) var target: String

  func request(environment: [String: String]) -> NodeUnpublishVolumeRequest {
    .init(volumeID: volumeID, targetPath: target)
  }
}

struct Stats: RPCCommand {
  static let method = Methods.nodeGetVolumeStats
  static let configuration = help(
    "stats", "Show how full a volume is, and its condition.", examples: ["stats data --path /run/demo/target"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("Where it is published or staged.", valueName: "path")) var path: String
  @Option(help: ArgumentHelp("The staging directory.", valueName: "path")) var staging: String = ""

  func request(environment: [String: String]) -> NodeGetVolumeStatsRequest {
    .init(volumeID: volumeID, volumePath: path, stagingTargetPath: staging)
  }
}

struct NodeExpand: RPCCommand {
  static let method = Methods.nodeExpandVolume
  static let configuration = help(
    "node-expand", "Let device and file system of an expanded volume grow, in use.",
    examples: ["node-expand data --path /run/demo/target --size 2GiB"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("Where it is published or staged.", valueName: "path")) var path: String
  @Option(help: ArgumentHelp("The staging directory.", valueName: "path")) var staging: String = ""
  @Option(help: "The size that it must have afterwards, at least.") var size: Size?
  @Option(help: "The size that it must not pass.") var limit: Size?
  @OptionGroup var capability: CapabilityOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> NodeExpandVolumeRequest {
    .init(
      volumeID: volumeID, volumePath: path, capacityRange: CapacityRange(size, limit), stagingTargetPath: staging,
      volumeCapability: capability.capability, secrets: try secrets.load(environment: environment))
  }
}

struct NodeCapabilities: RPCCommand {
  static let method = Methods.nodeGetCapabilities
  static let configuration = help("node-capabilities", "Show what the node service can do.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> NodeGetCapabilitiesRequest { .init() }
}

struct NodeInfo: RPCCommand {
  static let method = Methods.nodeGetInfo
  static let configuration = help("node-info", "Show the node's id, topology and volume limit.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> NodeGetInfoRequest { .init() }
}

struct NodeVolumeHealth: RPCCommand {
  static let method = Methods.nodeGetVolumeHealth
  static let configuration = help("node-volume-health", "Show how the node sees a volume's health (CSI 1.13).")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: ArgumentHelp("Where it is published.", valueName: "path")) var path: String = ""
  @Option(help: ArgumentHelp("The staging directory.", valueName: "path")) var staging: String = ""

  func request(environment: [String: String]) -> NodeGetVolumeHealthRequest {
    .init(volumeID: volumeID, volumePublishPath: path, stagingTargetPath: staging)
  }
}

struct NodeStorageHealth: RPCCommand {
  static let method = Methods.nodeGetStorageHealth
  static let configuration = help("node-storage-health", "Show how the node reaches its storage (CSI 1.13).")
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> NodeGetStorageHealthRequest {
    .init(secrets: try secrets.load(environment: environment))
  }
}
