import ArgumentParser

/// Load on a CSI socket, and what it measured, one JSON object a line on stdout. `hack/bench` conducts it.
@main
struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stowage-bench",
    abstract: "Puts load on a CSI socket and prints what it measured.",
    subcommands: [
      BareServer.self, Probes.self, Connections.self, Fill.self, Churn.self, Listing.self, NodeCycle.self, Copies.self,
      FirstAnswer.self, LocalVolumes.self,
    ])
}

/// The socket that a command talks to.
struct Target: ParsableArguments {
  @Argument(help: "The server's socket, for instance unix:///tmp/csi.sock.")
  var endpoint: String
}
