import ArgumentParser
import CSI

struct CreateSnapshot: RPCCommand {
  static let method = Methods.createSnapshot
  static let configuration = help(
    "create-snapshot", "Take a snapshot of a volume.", examples: ["create-snapshot snap1 --volume data"])
  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The name, any Unicode of at most 128 bytes; makes the call repeatable.") var name: String
  @Option(help: ArgumentHelp("The volume to take it of.", valueName: "volume-id")) var volume: String
  @Option(
    name: .customLong("param"),
    help: ArgumentHelp("A parameter of the driver; may be repeated.", valueName: "key=value"))
  var parameters: [KeyValue] = []
  @OptionGroup var topology: TopologyOptions
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> CreateSnapshotRequest {
    let places = try topology.topologies()
    return .init(
      sourceVolumeID: volume, name: name, secrets: try secrets.load(environment: environment),
      parameters: try parameters.dictionary("--param"),
      accessibilityRequirements: places.isEmpty ? nil : .init(requisite: places, preferred: places))
  }
}

struct DeleteSnapshot: RPCCommand {
  static let method = Methods.deleteSnapshot
  static let configuration = help(
    "delete-snapshot", "Delete a snapshot.", "A snapshot that does not exist is a success.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var snapshotID: String
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> DeleteSnapshotRequest {
    .init(snapshotID: snapshotID, secrets: try secrets.load(environment: environment))
  }
}

struct ListSnapshots: RPCCommand {
  static let method = Methods.listSnapshots
  static let configuration = help(
    "list-snapshots", "List snapshots.", "One page; when the answer ends with a next_token, go on with --token.",
    examples: ["list-snapshots", "list-snapshots --volume data"])
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var page: PageOptions
  @Option(help: ArgumentHelp("Only those of this volume.", valueName: "volume-id")) var volume: String = ""
  @Option(help: ArgumentHelp("Only this one.", valueName: "snapshot-id")) var snapshot: String = ""
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> ListSnapshotsRequest {
    .init(
      maxEntries: page.maxEntries, startingToken: page.startingToken, sourceVolumeID: volume, snapshotID: snapshot,
      secrets: try secrets.load(environment: environment))
  }
}

struct GetSnapshot: RPCCommand {
  static let method = Methods.getSnapshot
  static let configuration = help("get-snapshot", "Show a snapshot.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var snapshotID: String
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> GetSnapshotRequest {
    .init(snapshotID: snapshotID, secrets: try secrets.load(environment: environment))
  }
}

struct CreateGroupSnapshot: RPCCommand {
  static let method = Methods.createVolumeGroupSnapshot
  static let configuration = help(
    "create-group-snapshot", "Take snapshots of several volumes at one point in time.",
    examples: ["create-group-snapshot nightly data logs"])
  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The name; makes the call repeatable.") var name: String
  @Argument(help: "The volumes, at least one.") var volumeIDs: [String]
  @Option(
    name: .customLong("param"),
    help: ArgumentHelp("A parameter of the driver; may be repeated.", valueName: "key=value"))
  var parameters: [KeyValue] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> CreateVolumeGroupSnapshotRequest {
    .init(
      name: name, sourceVolumeIDs: volumeIDs, secrets: try secrets.load(environment: environment),
      parameters: try parameters.dictionary("--param"))
  }
}

struct DeleteGroupSnapshot: RPCCommand {
  static let method = Methods.deleteVolumeGroupSnapshot
  static let configuration = help(
    "delete-group-snapshot", "Delete a group snapshot with its members.",
    examples: ["delete-group-snapshot nightly nightly-data nightly-logs"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var groupSnapshotID: String
  @Argument(help: "The ids of all members.") var snapshotIDs: [String] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> DeleteVolumeGroupSnapshotRequest {
    .init(
      groupSnapshotID: groupSnapshotID, snapshotIDs: snapshotIDs, secrets: try secrets.load(environment: environment))
  }
}

struct GetGroupSnapshot: RPCCommand {
  static let method = Methods.getVolumeGroupSnapshot
  static let configuration = help("get-group-snapshot", "Show a group snapshot and its members.")
  @OptionGroup var connection: ConnectionOptions
  @Argument var groupSnapshotID: String
  @Argument(help: "The ids of all members.") var snapshotIDs: [String] = []
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> GetVolumeGroupSnapshotRequest {
    .init(
      groupSnapshotID: groupSnapshotID, snapshotIDs: snapshotIDs, secrets: try secrets.load(environment: environment))
  }
}

struct GroupCapabilities: RPCCommand {
  static let method = Methods.groupControllerGetCapabilities
  static let configuration = help("group-capabilities", "Show what the group controller service can do.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> GroupControllerGetCapabilitiesRequest { .init() }
}

struct AllocatedBlocks: RPCCommand {
  static let method = Methods.getMetadataAllocated
  static let configuration = help(
    "allocated-blocks", "Tell which blocks of a snapshot hold data.", "Offsets and sizes are in bytes.",
    examples: ["allocated-blocks snap1", "allocated-blocks snap1 --from 1GiB -o json"])
  @OptionGroup var connection: ConnectionOptions
  @Argument var snapshotID: String
  @Option(help: "Begin at this offset.") var from: Size?
  @Option(name: .customLong("max"), help: ArgumentHelp("At most so many blocks a message.", valueName: "count"))
  var maxResults: Int32 = 0
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> GetMetadataAllocatedRequest {
    .init(
      snapshotID: snapshotID, startingOffset: from?.bytes ?? 0, maxResults: maxResults,
      secrets: try secrets.load(environment: environment))
  }
}

struct ChangedBlocks: RPCCommand {
  static let method = Methods.getMetadataDelta
  static let configuration = help(
    "changed-blocks", "Tell which blocks changed from one snapshot to another of the same volume.",
    "Offsets and sizes are in bytes.", examples: ["changed-blocks monday tuesday"])
  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "The earlier snapshot.") var baseSnapshotID: String
  @Argument(help: "The later snapshot.") var targetSnapshotID: String
  @Option(help: "Begin at this offset.") var from: Size?
  @Option(name: .customLong("max"), help: ArgumentHelp("At most so many blocks a message.", valueName: "count"))
  var maxResults: Int32 = 0
  @OptionGroup var secrets: SecretOptions

  func request(environment: [String: String]) throws -> GetMetadataDeltaRequest {
    .init(
      baseSnapshotID: baseSnapshotID, targetSnapshotID: targetSnapshotID, startingOffset: from?.bytes ?? 0,
      maxResults: maxResults, secrets: try secrets.load(environment: environment))
  }
}
