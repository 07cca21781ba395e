import Glibc
import Storage
import Subprocess
import SystemPackage

extension Command {
  /// Runs a program that only reads and hands on its standard output as it comes, however much that is: the program
  /// waits for `consume`, and what was consumed is forgotten.
  ///
  /// The program is ended (SIGTERM, then SIGKILL) when `consume` throws, when the caller is cancelled and when the
  /// limit has passed.
  /// - Parameters:
  ///   - limit: for all of it, the time in `consume` included.
  ///   - package: what to install when the program is missing, for the message.
  ///   - consume: gets the bytes in pieces of any length.
  /// - Returns: how the program ended; the text is its standard error.
  /// - Throws: what `consume` throws, else as `run`.
  package static func stream(
    _ argv: [String], limit: Duration, package: String? = nil, to consume: ([UInt8]) async throws -> Void
  ) async throws -> Output {
    let path = try resolve(argv, package: package)
    HostCounters.countProgram()
    do {
      let result = try await Subprocess.run(
        .path(FilePath(path)), arguments: Arguments(Array(argv.dropFirst())), environment: .custom(environment),
        workingDirectory: "/", platformOptions: platformOptions, input: .none, output: .sequence, error: .sequence
      ) { execution in
        try await withThrowingTaskGroup(of: Part.self) { group in
          group.addTask { .complaint(try await collect(execution.standardError)) }
          group.addTask {
            guard (try? await Task.sleep(for: limit)) != nil else { return .timer(isLate: false) }
            await execution.teardown(using: teardown)
            return .timer(isLate: true)
          }
          do {
            for try await buffer in execution.standardOutput { try await consume(buffer.withUnsafeBytes(Array.init)) }
          } catch {
            await execution.teardown(using: teardown)
            throw error
          }
          // Its standard error ends with it; only then the timer is called off.
          var text = ""
          var isLate = false
          while let part = try await group.next() {
            switch part {
            case .complaint(let complaint):
              text = complaint
              group.cancelAll()
            case .timer(let late): isLate = late
            }
          }
          return (text, isLate)
        }
      }
      let (text, isLate) = result.closureResult
      return Output(status: isLate ? .timedOut(after: limit) : Status(result.terminationStatus), text: text)
    } catch let error as SubprocessError {
      throw StorageError.failed("\(path) cannot be run: \(error)")
    }
  }

  private enum Part: Sendable {
    case complaint(String)
    case timer(isLate: Bool)
  }
}
