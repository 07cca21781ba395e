import Glibc

/// A program started beside this one.
struct Program: Sendable {
  let id: pid_t

  /// - Parameters:
  ///   - output: the file that standard output and error are appended to.
  ///   - environment: nil: our own.
  init(_ arguments: [String], output: String, environment: [String: String]? = nil) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let argv = arguments.map { strdup($0) } + [nil]
    let variables = (environment ?? Self.environment).map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argv + variables).forEach { free($0) } }
    var id = pid_t()
    let result = posix_spawnp(&id, arguments[0], &actions, nil, argv, variables)
    guard result == 0 else { throw ProgramFailure(arguments: arguments, reason: String(cString: strerror(result))) }
    self.id = id
  }

  /// Our own environment.
  static var environment: [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee.map({ String(cString: $0) }) {
      if let split = text.firstIndex(of: "=") {
        result[String(text[..<split])] = String(text[text.index(after: split)...])
      }
      entry += 1
    }
    return result
  }

  func send(_ signal: Int32) { kill(id, signal) }

  /// The exit status, -signal when a signal ended it; nil while it runs. Reaps: ask no more after an answer.
  func status() -> Int32? {
    var status: Int32 = 0
    guard waitpid(id, &status, WNOHANG) == id else { return nil }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : -signal
  }

  /// Waits for its end.
  func ended() async throws -> Int32 {
    var result: Int32?
    try await waitUntil("program \(id) ends") {
      result = status()
      return result != nil
    }
    return result ?? -1
  }

  /// Runs a program to its end and returns its exit status and output.
  static func run(_ arguments: [String], environment: [String: String]? = nil) async throws -> (Int32, String) {
    var template = Array("/tmp/stow-out-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else { throw ProgramFailure(arguments: arguments, reason: "mkstemp failed") }
    close(file)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    let status = try await Program(arguments, output: path, environment: environment).ended()
    return (status, Files.text(path))
  }

  /// Runs a program that must succeed.
  static func need(_ arguments: String...) async throws {
    let (status, output) = try await run(arguments)
    guard status == 0 else { throw ProgramFailure(arguments: arguments, reason: "status \(status): \(output)") }
  }
}

struct ProgramFailure: Error, CustomStringConvertible {
  let arguments: [String]
  let reason: String
  var description: String { "\(arguments.joined(separator: " ")): \(reason)" }
}
