import ArgumentParser
import CSI
import CSIClient
import Configuration

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Validate the configuration and find out whether this host can serve it.",
    discussion: """
      Reads the same settings as "serve" and looks at tools, kernel, privileges, directories, volume groups and the \
      socket's place. Changes nothing. Each finding is ok, warn or fail, with what to do about it.

      Exit status: 0 when nothing fails, 1 when something does, 2 for wrong arguments.

      Examples:
        stowage check --config /etc/stowage.yaml
        stowage check --data-directory /var/lib/stowage --json
        stowage check --volume-group vg0 --thin-pool thin0
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Print the findings as JSON.")
  var json = false

  mutating func run() async throws {
    let findings = await findings(environment: Configuration.processEnvironment)
    if json {
      print(JSON.array(findings.map(\.json)).prettyText)
    } else {
      let width = findings.map(\.subject.count).max() ?? 0
      for finding in findings { print(finding.text(width: width)) }
    }
    if findings.contains(where: { $0.level == .fail }) { throw ExitCode(ExitStatus.failure.rawValue) }
  }

  private func findings(environment: [String: String]) async -> [Finding] {
    var settings = Configuration()
    var findings: [Finding] = []
    do {
      settings = try options.load(environment: environment)
      findings.append(.ok("configuration", options.config ?? environment[Configuration.fileVariable] ?? "no file"))
    } catch {
      findings.append(.fail("configuration", "\(error)", do: "correct it; docs/configuration.md has every key"))
    }
    if settings.backends.isEmpty {
      findings.append(
        .fail(
          "backends", "none is configured",
          do: "name one under backends, or give --data-directory, or --volume-group and --thin-pool"))
    }
    return findings + (await HostCheck(settings).findings())
  }
}
