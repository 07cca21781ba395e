import ArgumentParser
import CSI

struct CreateVolume: RPCCommand {
  static let method = Methods.createVolume
  static let configuration = help(
    "create-volume", "Make a volume, empty or from a snapshot or another volume.",
    "The name makes the call repeatable: the same name and wishes give the same volume.",
    examples: [
      "create-volume data --size 1GiB --fs ext4",
      "create-volume disk --size 10GiB --block --param backend=fast",
      "create-volume restored --size 2GiB --from-snapshot snap1",
      "create-volume copy --from-volume data",
    ])
  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The name, any Unicode of at most 128 bytes.") var name: String
  @Option(help: "The least size: 10GiB, 512MiB or bytes. Default: the driver's choice, or the source's size.")
  var size: Size?
  @Option(help: "The largest size that is acceptable.") var limit: Size?
  @OptionGroup var capability: CapabilityOptions
  @Option(
    name: .customLong("param"),
    help: ArgumentHelp("A parameter of the driver; may be repeated.", valueName: "key=value"))
  var parameters: [KeyValue] = []
  @Option(
    name: .customLong("mutable-param"),
    help: ArgumentHelp("A parameter that may change later; may be repeated.", valueName: "key=value"))
  var mutableParameters: [KeyValue] = []
  @Option(help: ArgumentHelp("Begin with the content of this snapshot.", valueName: "snapshot-id"))
  var fromSnapshot: String?
  @Option(help: ArgumentHelp("Begin with the content of this volume.", valueName: "volume-id"))
  var fromVolume: String?
  @OptionGroup var topology: TopologyOptions
  @OptionGroup var secrets: SecretOptions

  func validate() throws {
    if fromSnapshot != nil, fromVolume != nil {
      throw ValidationError("A volume has one source: --from-snapshot or --from-volume.")
    }
  }

  func request(environment: [String: String]) throws -> CreateVolumeRequest {
    let places = try topology.topologies()
    let source: VolumeContentSource.Kind? =
      fromSnapshot.map { .snapshot(.init(snapshotID: $0)) } ?? fromVolume.map { .volume(.init(volumeID: $0)) }
    return CreateVolumeRequest(
      name: name, capacityRange: CapacityRange(size, limit), volumeCapabilities: [capability.capability],
      parameters: try parameters.dictionary("--param"), secrets: try secrets.load(environment: environment),
      volumeContentSource: source.map { .init(type: $0) },
      accessibilityRequirements: places.isEmpty ? nil : .init(requisite: places, preferred: places),
      mutableParameters: try mutableParameters.dictionary("--mutable-param"))
  }
}

struct DeleteVolume: RPCCommand {
  static let method = Methods.deleteVolume
  static let configuration = help(
    "delete-volume", "Delete a volume.", "A volume that does not exist is a success.", examples: ["delete-volume data"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> DeleteVolumeRequest {
    .init(volumeID: volumeID, secrets: try secrets.load(environment: environment))
  }
}

struct ExpandVolume: RPCCommand {
  static let method = Methods.controllerExpandVolume
  static let configuration = help(
    "expand-volume", "Make a volume bigger.",
    "When the answer says node_expansion_required, go on with \"stowage csi node-expand\" on the node.",
    examples: ["expand-volume data --size 2GiB"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(help: "The new size, at least: 10GiB, 512MiB or bytes.") var size: Size
  @Option(help: "The largest size that is acceptable.") var limit: Size?
  @OptionGroup var capability: CapabilityOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerExpandVolumeRequest {
    .init(
      volumeID: volumeID, capacityRange: CapacityRange(size, limit),
      secrets: try secrets.load(environment: environment), volumeCapability: capability.capability)
  }
}

struct ModifyVolume: RPCCommand {
  static let method = Methods.controllerModifyVolume
  static let configuration = help("modify-volume", "Change parameters of a volume.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Option(
    name: .customLong("mutable-param"), help: ArgumentHelp("A parameter; may be repeated.", valueName: "key=value"))
  var mutableParameters: [KeyValue] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerModifyVolumeRequest {
    .init(
      volumeID: volumeID, secrets: try secrets.load(environment: environment),
      mutableParameters: try mutableParameters.dictionary("--mutable-param"))
  }
}

struct GetVolume: RPCCommand {
  static let method = Methods.controllerGetVolume
  static let configuration = help("get-volume", "Show a volume, where it is published and how it is.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String

  func request(environment: [String: String]) -> ControllerGetVolumeRequest { .init(volumeID: volumeID) }
}

struct ListVolumes: RPCCommand {
  static let method = Methods.listVolumes
  static let configuration = help(
    "list-volumes", "List volumes.", "One page; when the answer ends with a next_token, go on with --token.",
    examples: ["list-volumes", "list-volumes --max 100 -o json"])
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var page: PageOptions

  func request(environment: [String: String]) -> ListVolumesRequest {
    .init(maxEntries: page.maxEntries, startingToken: page.startingToken)
  }
}

struct ValidateVolume: RPCCommand {
  static let method = Methods.validateVolumeCapabilities
  static let configuration = help(
    "validate", "Ask whether a volume can be used in a certain way.",
    "The answer repeats what is confirmed; without \"confirmed\" it cannot, and the message says why.",
    examples: ["validate data --fs ext4 --mode RWX"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @OptionGroup var capability: CapabilityOptions
  @Option(
    name: .customLong("param"),
    help: ArgumentHelp("A parameter of creation; may be repeated.", valueName: "key=value"))
  var parameters: [KeyValue] = []
  @Option(
    name: .customLong("mutable-param"),
    help: ArgumentHelp("A mutable parameter; may be repeated.", valueName: "key=value"))
  var mutableParameters: [KeyValue] = []
  @Option(
    name: .customLong("volume-context"),
    help: ArgumentHelp("An entry of the volume's context; may be repeated.", valueName: "key=value"))
  var volumeContext: [KeyValue] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ValidateVolumeCapabilitiesRequest {
    .init(
      volumeID: volumeID, volumeContext: try volumeContext.dictionary("--volume-context"),
      volumeCapabilities: [capability.capability], parameters: try parameters.dictionary("--param"),
      secrets: try secrets.load(environment: environment),
      mutableParameters: try mutableParameters.dictionary("--mutable-param"))
  }
}

struct Capacity: RPCCommand {
  static let method = Methods.getCapacity
  static let configuration = help(
    "capacity", "Show how much space there is for new volumes.",
    examples: ["capacity", "capacity --param backend=fast --topology file.csi.stowage.dev/node=worker-1"])
  @OptionGroup var connection: ConnectionOptions
  @Option(
    name: .customLong("param"),
    help: ArgumentHelp("A parameter of creation; may be repeated.", valueName: "key=value"))
  var parameters: [KeyValue] = []
  @OptionGroup var topology: TopologyOptions

  func validate() throws {
    if topology.places.count > 1 { throw ValidationError("Capacity is asked for one --topology.") }
  }

  func request(environment: [String: String]) throws -> GetCapacityRequest {
    .init(parameters: try parameters.dictionary("--param"), accessibleTopology: try topology.topologies().first)
  }
}

struct ControllerCapabilities: RPCCommand {
  static let method = Methods.controllerGetCapabilities
  static let configuration = help("controller-capabilities", "Show what the controller service can do.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> ControllerGetCapabilitiesRequest { .init() }
}

struct VolumeHealthCommand: RPCCommand {
  static let method = Methods.controllerGetVolumeHealth
  static let configuration = help("volume-health", "Show how the controller sees a volume's health (CSI 1.13).")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerGetVolumeHealthRequest {
    .init(volumeID: volumeID, secrets: try secrets.load(environment: environment))
  }
}

struct ListVolumeHealth: RPCCommand {
  static let method = Methods.controllerListVolumeHealth
  static let configuration = help("list-volume-health", "List volumes that are not healthy (CSI 1.13).")
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var page: PageOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerListVolumeHealthRequest {
    .init(
      maxEntries: page.maxEntries, startingToken: page.startingToken,
      secrets: try secrets.load(environment: environment))
  }
}
