import ArgumentParser
import CSI

struct ControllerPublish: RPCCommand {
  static let method = Methods.controllerPublishVolume
  static let configuration = help(
    "controller-publish", "Attach a volume to a node.",
    "Only for drivers with PUBLISH_UNPUBLISH_VOLUME. What it answers is the --publish-context of stage and publish.",
    examples: ["controller-publish data worker-1"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Argument var nodeID: String
  @OptionGroup var capability: CapabilityOptions
  @Flag(help: "Attach for reading only.") var readOnly = false
  @Option(
    name: .customLong("volume-context"),
    help: ArgumentHelp("An entry of the volume's context; may be repeated.", valueName: "key=value"))
  var volumeContext: [KeyValue] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerPublishVolumeRequest {
    .init(
      volumeID: volumeID, nodeID: nodeID, volumeCapability: capability.capability, readonly: readOnly,
      secrets: try secrets.load(environment: environment),
      volumeContext: try volumeContext.dictionary("--volume-context"))
  }
}

struct ControllerUnpublish: RPCCommand {
  static let method = Methods.controllerUnpublishVolume
  static let configuration = help("controller-unpublish", "Detach a volume from a node, or from all.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var volumeID: String
  @Argument(help: "Without it: from all nodes.") var nodeID: String = ""
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ControllerUnpublishVolumeRequest {
    .init(volumeID: volumeID, nodeID: nodeID, secrets: try secrets.load(environment: environment))
  }
}
