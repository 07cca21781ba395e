import Glibc
import Storage
import Subprocess
import SystemPackage

/// External programs: started directly (never through a shell), with a clean environment, `LC_ALL=C`, no standard
/// input, bounded output and a time limit.
package enum Command {
  /// How a program ended.
  package enum Status: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)
    /// The time limit passed; the program was asked to stop and then killed.
    case timedOut(after: Duration)

    package var description: String {
      switch self {
      case .exited(let code): "exit status \(code)"
      case .killed(let signal): "killed by signal \(signal)"
      case .timedOut(let limit): "stopped after \(limit)"
      }
    }
  }

  package struct Output: Hashable, Sendable {
    package let status: Status
    /// Standard output and error as they came, cut to 8 KiB.
    package let text: String
    package var succeeded: Bool { status == .exited(0) }
  }

  /// Where programs are looked for, in this order; PATH of the server's own environment means nothing.
  package static let searchPath = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"]

  /// The absolute path of a program, or nil when it is not installed.
  package static func locate(_ program: String) -> String? {
    if program.hasPrefix("/") { return access(program, X_OK) == 0 ? program : nil }
    return searchPath.lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
  }

  /// Runs a program to its end. Cancellation of the caller does not reach it: a half-made file system helps nobody, and
  /// a repeat of the call must not meet the first one's program.
  /// - Parameters:
  ///   - argv: the program (a name or an absolute path) and its arguments.
  ///   - limit: when it has passed the program gets SIGTERM, and ten seconds later SIGKILL.
  ///   - package: what to install when the program is missing, for the message.
  /// - Throws: `StorageError.failed` when the program is missing or cannot be started, `.invalid` for NUL.
  package static func run(_ argv: [String], limit: Duration, package: String? = nil) async throws -> Output {
    let path = try resolve(argv, package: package)
    HostCounters.countProgram()
    let arguments = Array(argv.dropFirst())
    // A task of its own: awaiting its value passes no cancellation on.
    return try await Task { try await supervise(path, arguments, limit: limit) }.value
  }

  /// - Throws: as `run`.
  static func resolve(_ argv: [String], package: String?) throws -> String {
    guard let program = argv.first else { throw StorageError.failed("no program to run") }
    guard let path = locate(program) else {
      throw StorageError.failed("\(program) is not installed" + (package.map { "; install the package \($0)" } ?? ""))
    }
    guard argv.allSatisfy({ !$0.utf8.contains(0) }) else {
      throw StorageError.invalid("an argument of \(program) contains NUL")
    }
    return path
  }

  private static let retained = 8 << 10
  static let teardown: [TeardownStep] = [.gracefulShutDown(allowedDurationToNextStep: .seconds(10))]
  static let environment: [Environment.Key: String] = [
    "LC_ALL": "C", "PATH": searchPath.joined(separator: ":"), "HOME": "/", "TERM": "dumb",
  ]
  static var platformOptions: PlatformOptions {
    var options = PlatformOptions()
    options.createSession = true  // signals of our terminal are not for it
    return options
  }

  private static func supervise(_ path: String, _ arguments: [String], limit: Duration) async throws -> Output {
    do {
      let result = try await Subprocess.run(
        .path(FilePath(path)), arguments: Arguments(arguments), environment: .custom(environment),
        workingDirectory: "/", platformOptions: platformOptions, input: .none, output: .sequence,
        error: .combinedWithOutput
      ) { execution in
        try await withThrowingTaskGroup(of: Bool.self) { group in
          group.addTask {
            guard (try? await Task.sleep(for: limit)) != nil else { return false }
            await execution.teardown(using: teardown)
            return true
          }
          let text = try await collect(execution.standardOutput)
          group.cancelAll()
          return (text, isLate: try await group.next() ?? false)
        }
      }
      let (text, isLate) = result.closureResult
      let status = isLate ? Status.timedOut(after: limit) : Status(result.terminationStatus)
      return Output(status: status, text: text)
    } catch let error as SubprocessError {
      throw StorageError.failed("\(path) cannot be run: \(error)")
    }
  }

  /// Reads to the end, so that the program never blocks on a full pipe, and keeps the beginning.
  static func collect(_ output: SubprocessOutputSequence) async throws -> String {
    var kept: [UInt8] = []
    for try await buffer in output {
      buffer.withUnsafeBytes { kept.append(contentsOf: $0.prefix(retained - kept.count)) }
    }
    return String(decoding: kept, as: UTF8.self)
  }
}

extension Command.Status {
  init(_ status: TerminationStatus) {
    switch status {
    case .exited(let code): self = .exited(code)
    case .signaled(let signal): self = .killed(signal: signal)
    }
  }
}
