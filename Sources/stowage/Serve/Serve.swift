import ArgumentParser
import Configuration
import Glibc
import Host
import Logging
import Telemetry
import UnixSignals

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve volumes on a Unix socket.",
    discussion: """
      Settings come from the file, the environment and these flags; docs/configuration.md has them all. Mounting and \
      loop devices need root. SIGTERM and SIGINT end it: calls in flight may finish, a second signal cancels them.

      Examples:
        CSI_ENDPOINT=unix:///run/csi/csi.sock stowage serve --data-directory /var/lib/stowage
        stowage serve --config /etc/stowage.yaml --mode node --node-id worker-1 --http-endpoint :9808
      """)

  @OptionGroup var options: ConfigurationOptions

  mutating func run() async throws {
    let settings = try options.load(environment: Configuration.processEnvironment)
    let format: LineLogHandler.Format =
      switch settings.logFormat {
      case .json: .json
      case .text: .text
      case .auto: LineLogHandler.format(for: STDERR_FILENO)
      }
    let level = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
    LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, level: level) }
    Privileges.forbidDumps()
    // A client that goes away must not end the process.
    signal(SIGPIPE, SIG_IGN)

    let logger = Logger(label: "stowage")
    // Before the service begins, so that no signal finds it half begun.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let service = try Service(settings, logger: logger)
    do { try service.start() } catch let error as ConfigurationError {
      throw error
    } catch {
      logger.critical("cannot serve", metadata: ["error": "\(error)"])
      throw ExitCode.failure
    }
    var ending: Task<Void, Never>?
    for await signal in signals {
      logger.notice("ending", metadata: ["signal": "\(signal)"])
      let grace: Duration = ending == nil ? .seconds(settings.grace) : .zero
      if ending != nil {
        Task { await service.stop(grace: .zero) }
        continue
      }
      ending = Task {
        await service.stop(grace: grace)
        logger.notice("ended")
        Glibc.exit(0)
      }
    }
  }
}
