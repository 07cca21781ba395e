import CCryptsetup
import CLinux
import Glibc
import Storage

/// A passphrase on its way from a request to the process that uses it: wiped when nobody holds it any more, and never
/// rendered.
package final class Passphrase: Sendable, CustomStringConvertible, CustomReflectable {
  /// The longest one, in bytes.
  package static let limit = 8192
  // Made in init, never written to again, freed in deinit.
  nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

  /// - Throws: `StorageError.invalid` for an empty or overlong one.
  package init(_ text: String) throws {
    let count = text.utf8.count
    guard count > 0 else { throw StorageError.invalid("the passphrase is empty") }
    guard count <= Self.limit else { throw StorageError.invalid("the passphrase has more than \(Self.limit) bytes") }
    bytes = .allocate(byteCount: count, alignment: 1)
    ccs_lock_memory(bytes.baseAddress, count)
    bytes.copyBytes(from: text.utf8)
  }

  deinit {
    ccs_wipe(bytes.baseAddress, bytes.count)
    bytes.deallocate()
  }

  package var description: String { "***stripped***" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// LUKS version 2 on block devices (libcryptsetup): the work is done by our own executable, started again as
/// `stowage luks VERB` (see `runWorker`), one process for each step. It holds the memory of the key derivation and the
/// key, and takes the lock of the device, so that a step which outlives its server is not met by the next.
///
/// The passphrase goes through a pipe: it is in no argument, no environment and no file. A step that has begun is
/// never killed.
package struct Encryption: Sendable {
  let executable: String

  /// What LUKS2 keeps for itself at the beginning of a device.
  package static let headerSize = ByteCount.mib(16)
  /// What names of opened devices begin with.
  package static let namePrefix = "stowage-"

  /// - Parameter executable: a program whose sub-command `luks` calls `runWorker`.
  package init(executable: String) { self.executable = executable }

  /// Makes the device an encrypted one, whatever it holds, and opens it as `name`: blank, its first four and its last
  /// MiB zeros.
  /// - Throws: `StorageError.busy` while something holds the device, `.failed` with the library's words.
  package func format(_ device: String, openingAs name: String, _ passphrase: Passphrase) async throws {
    try await run(EncryptionRequest(verb: .format, device: device, name: name), passphrase)
  }

  /// Opens the device as `name`; discards pass through.
  /// - Throws: `StorageError.unauthenticated` for a wrong passphrase, `.precondition` when the device is not LUKS2,
  ///   `.dataLoss` when its header has no key, `.busy` while something holds the device.
  package func open(_ device: String, as name: String, _ passphrase: Passphrase, readOnly: Bool) async throws {
    try await run(EncryptionRequest(verb: .open, device: device, name: name, isReadOnly: readOnly), passphrase)
  }

  /// Whether the passphrase opens the device, by an error if not; nothing changes.
  /// - Throws: as `open`.
  package func test(_ device: String, _ passphrase: Passphrase) async throws {
    try await run(EncryptionRequest(verb: .test, device: device, name: ""), passphrase)
  }

  /// Lets the opened device take all of `device`, which has grown.
  package func resize(_ name: String, over device: String) async throws {
    try await run(EncryptionRequest(verb: .resize, device: device, name: name), nil)
  }

  /// Closes the opened device; succeeds when it is not open.
  /// - Throws: `StorageError.busy` while it is in use.
  package func close(_ name: String, over device: String) async throws {
    try await run(EncryptionRequest(verb: .close, device: device, name: name), nil)
  }

  // MARK: the process

  /// Longer than any step takes: the device may be slow, and device-mapper waits for udev.
  private static let patience = Duration.seconds(300)

  private func run(_ request: EncryptionRequest, _ passphrase: Passphrase?) async throws {
    let executable = executable
    HostCounters.countProgram()
    // A task of its own: the step goes on, whatever becomes of the caller.
    let answer = try await Task {
      try await withTimeLimit(Self.patience, "luks \(request.verb.rawValue) \(request.device)") {
        try Self.work(executable, request, passphrase)
      }
    }.value
    if let failure = answer { throw failure.storageError(request) }
  }

  /// Runs the process to its end. Blocks.
  /// - Returns: what went wrong in it, or nil.
  private static func work(
    _ executable: String, _ request: EncryptionRequest, _ passphrase: Passphrase?
  ) throws -> EncryptionFailure? {
    let (process, answers) = try start(executable, request, passphrase)
    let answer = read(Descriptor(owning: answers))
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
    if answer == "ok" { return nil }
    if let failure = EncryptionFailure(parsing: answer) { return failure }
    let end = status & 0x7f == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
    throw StorageError.failed("luks \(request.verb.rawValue) of \(request.device) ended without an answer (\(end))")
  }

  private static func start(
    _ executable: String, _ request: EncryptionRequest, _ passphrase: Passphrase?
  ) throws -> (process: pid_t, answers: Int32) {
    let input = try Pipe()
    let output = try Pipe()
    // All of it fits into the pipe, whose reading end is held here: this neither blocks nor raises a signal.
    try request.write(to: input.writing, passphrase)
    let answers = try output.takeReading()
    do {
      let process = try OwnProgram.start(
        executable, ["luks", request.verb.rawValue], environment: environment, input: input.reading,
        output: output.writing)
      return (process, answers)
    } catch {
      Glibc.close(answers)
      throw error
    }
  }

  /// What tests of crashes and the search for libraries need, and nothing else of ours.
  private static var environment: [String] {
    var variables = ["LC_ALL=C", "PATH=" + Command.searchPath.joined(separator: ":")]
    for name in ["STOWAGE_CRASH_AT", "LD_LIBRARY_PATH"] {
      if let value = getenv(name) { variables.append("\(name)=\(String(cString: value))") }
    }
    return variables
  }

  private static func read(_ answers: consuming Descriptor) -> String {
    var bytes = [UInt8](repeating: 0, count: EncryptionFailure.longest + 64)
    var count = 0
    while count < bytes.count {
      let room = bytes.count - count
      let more = bytes.withUnsafeMutableBytes { Glibc.read(answers.raw, $0.baseAddress?.advanced(by: count), room) }
      if more < 0, errno == EINTR { continue }
      guard more > 0 else { break }
      count += more
    }
    return String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
