import Glibc

/// A directory that is removed with its content.
struct Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/stowage-http.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  subscript(name: String) -> String { "\(path)/\(name)" }

  func read(_ name: String) throws -> [UInt8] {
    guard let file = fopen(self[name], "r") else { throw TestFailure("\(name): \(errno)") }
    defer { fclose(file) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return result }
      result += buffer.prefix(count)
    }
  }

  func text(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

  func write(_ text: String, to name: String) throws {
    guard let file = fopen(self[name], "w") else { throw TestFailure("\(name): \(errno)") }
    fputs(text, file)
    fclose(file)
  }

  func remove() { _ = try? run("rm", "-rf", path) }
}

/// A program of PATH, without input; what it says goes to a file or nowhere.
struct Program {
  let process: pid_t

  init(_ arguments: [String], output: String = "/dev/null", input: Int32? = nil) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
      posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for text in vector { free(text) } }
    var process = pid_t()
    let result = posix_spawnp(&process, arguments[0], &actions, nil, &vector, environ)
    guard result == 0 else { throw TestFailure("\(arguments[0]): \(String(cString: strerror(result)))") }
    self.process = process
  }

  /// The exit status; nil after a signal.
  @discardableResult
  func wait() -> Int32? {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
  }

  func stop() {
    kill(process, SIGKILL)
    wait()
  }
}

/// Runs a program to its end.
func run(_ arguments: String...) throws {
  let status = try Program(arguments).wait()
  guard status == 0 else {
    throw TestFailure("\(arguments.joined(separator: " ")): \(status.map(String.init) ?? "killed")")
  }
}
