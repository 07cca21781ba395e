import ArgumentParser
import Configuration

/// The flags that make a configuration, shared by `serve` and `check`. Each has a key in the file and a variable.
struct ConfigurationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The configuration file. Default: $STOWAGE_CONFIG, or none.", valueName: "file"))
  var config: String?

  @Option(help: "The socket to serve on: unix:///run/csi/csi.sock or a path. Default: $CSI_ENDPOINT.")
  var endpoint: String?

  @Option(help: ArgumentHelp("Serve volumes from this directory, when no backend is configured.", valueName: "path"))
  var dataDirectory: String?

  @Option(
    help: ArgumentHelp(
      "Serve thin volumes from this volume group, when no backend is configured; needs --thin-pool.",
      valueName: "name"))
  var volumeGroup: String?

  @Option(help: ArgumentHelp("The thin pool of --volume-group.", valueName: "name"))
  var thinPool: String?

  @Option(help: "The services to serve: controller, node or all.")
  var mode: String?

  @Option(help: ArgumentHelp("The id of this node. Default: $STOWAGE_NODE_ID, or the host's name.", valueName: "id"))
  var nodeID: String?

  @Option(help: ArgumentHelp("The driver's name. Default: \(Configuration.defaultDriverName).", valueName: "name"))
  var driverName: String?

  @Option(help: ArgumentHelp("Where /metrics and /healthz are served. Default: nowhere.", valueName: "host:port"))
  var httpEndpoint: String?

  @Option(help: "Log lines as json, text or auto: text on a terminal.")
  var logFormat: String?

  @Option(help: "The least level that is logged: trace, debug, info, notice, warning, error.")
  var logLevel: String?

  @Option(help: ArgumentHelp("Permission bits of the socket.", valueName: "octal"))
  var socketMode: String?

  @Option(help: ArgumentHelp("How long calls in flight may go on at the end.", valueName: "seconds"))
  var grace: String?

  @Option(help: "Who makes volumes larger: controller, or node alone (distributed provisioning).")
  var expansion: String?

  @Flag(name: .customLong("advertise-1.13"), help: "Advertise capabilities that only CSI 1.13 knows.")
  var advertise113 = false

  /// Defaults, file, environment and these flags, in this order.
  /// - Throws: `ConfigurationError`.
  func load(environment: [String: String]) throws -> Configuration {
    var result = try Configuration.load(
      file: config,
      quickStart: .init(dataDirectory: dataDirectory, volumeGroup: volumeGroup, thinPool: thinPool),
      environment: environment)
    let flags: [(key: String, flag: String, value: String?)] = [
      ("endpoint", "--endpoint", endpoint), ("mode", "--mode", mode), ("nodeID", "--node-id", nodeID),
      ("driverName", "--driver-name", driverName), ("httpEndpoint", "--http-endpoint", httpEndpoint),
      ("logFormat", "--log-format", logFormat), ("logLevel", "--log-level", logLevel),
      ("socketMode", "--socket-mode", socketMode), ("grace", "--grace", grace),
      ("expansion", "--expansion", expansion),
      ("advertise113", "--advertise-1.13", advertise113 ? "true" : nil),
    ]
    for (key, flag, value) in flags {
      if let value { try result.set(key, to: value, source: flag) }
    }
    return result
  }
}
