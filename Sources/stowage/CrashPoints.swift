import ArgumentParser
import Storage

/// The steps at which STOWAGE_CRASH_AT can kill a server, one a line: for the fault tests.
struct CrashPoints: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crash-points", abstract: "List the steps at which a test can kill the server.", shouldDisplay: false)

  func run() {
    for point in CrashPoint.allCases { print(point.rawValue) }
  }
}
