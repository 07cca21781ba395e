import ArgumentParser
import CSIClient
import Configuration
import Glibc
import Host
import LVMBackend

@main
struct Stowage: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stowage", abstract: "Stows volumes: a CSI driver and a client for any CSI driver.",
    discussion: """
      Serve volumes from a directory:
        CSI_ENDPOINT=unix:///run/csi/csi.sock stowage serve --data-directory /var/lib/stowage

      Find out whether this host can, and what to do if not:
        stowage check --data-directory /var/lib/stowage

      Talk to a driver:
        stowage csi list-volumes --endpoint unix:///run/csi/csi.sock
      """,
    version: Version.current,
    subcommands: [Serve.self, Check.self, CSICommand.self, CrashPoints.self])

  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    // The process that holds file systems frozen (see Host.FreezeGuard): nothing may come before it that could touch
    // a frozen file system.
    if arguments.first == "freeze-guard" { Glibc.exit(FreezeGuard.runGuard(Array(arguments.dropFirst()))) }
    // The process that runs LVM's commands, one at a time.
    if arguments.first == "lvm-worker" { Glibc.exit(LVMWorker.run(Array(arguments.dropFirst()))) }
    do {
      var command = try parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      finish(error)
    }
  }

  /// Help and version go to stdout with 0; everything that is wrong with arguments or configuration ends with 2.
  private static func finish(_ error: any Error) -> Never {
    if let error = error as? ConfigurationError {
      Standard.error("stowage: \(error)")
      Glibc.exit(ExitStatus.usage.rawValue)
    }
    switch exitCode(for: error) {
    case .validationFailure:
      Standard.error(fullMessage(for: error))
      Glibc.exit(ExitStatus.usage.rawValue)
    default:
      exit(withError: error)
    }
  }
}

/// The standard streams of the process.
enum Standard {
  /// Writes a line to stderr at once.
  static func error(_ line: String) {
    var text = line + "\n"
    text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
