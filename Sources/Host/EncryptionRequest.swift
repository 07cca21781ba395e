import CCryptsetup
import Glibc
import Storage

/// What the process of `stowage luks` is asked to do: each field as its length (four bytes, the highest first) and its
/// bytes, the passphrase last, then the end of input.
struct EncryptionRequest: Hashable, Sendable {
  enum Verb: String, CaseIterable, Sendable { case format, open, close, resize, test }

  var verb: Verb
  /// The encrypted device.
  var device: String
  /// What the opened device is called.
  var name: String
  var isReadOnly = false

  /// More than any request has, and less than a pipe holds.
  static let limit = 16 << 10

  struct Malformed: Error {}

  private var fields: [String] { [device, name, isReadOnly ? "ro" : "rw"] }

  /// - Throws: `SystemCallError`; `StorageError.invalid` for one that is too long.
  func write(to pipe: borrowing Descriptor, _ passphrase: Passphrase?) throws {
    let count = passphrase?.bytes.count ?? 0
    let head = fields.flatMap { Self.length($0.utf8.count) + Array($0.utf8) } + Self.length(count)
    guard head.count + count <= Self.limit else { throw StorageError.invalid("a path is too long") }
    try DurableFile.writeAll(head, to: pipe.raw, "a pipe")
    var written = 0
    while let passphrase, written < count {
      let more = Glibc.write(pipe.raw, passphrase.bytes.baseAddress?.advanced(by: written), count - written)
      if more < 0, errno == EINTR { continue }
      guard more > 0 else { throw SystemCallError("write", path: "a pipe", errno: errno) }
      written += more
    }
  }

  private static func length(_ count: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
  }

  /// Reads what `write` wrote; where the passphrase lies in `bytes` comes second, empty when there is none.
  /// - Throws: `Malformed`.
  static func parse(
    _ verb: String, _ bytes: UnsafeRawBufferPointer
  ) throws -> (request: EncryptionRequest, passphrase: Range<Int>) {
    guard let verb = Verb(rawValue: verb) else { throw Malformed() }
    var offset = 0
    func field() throws -> Range<Int> {
      guard bytes.count - offset >= 4 else { throw Malformed() }
      let count = (0..<4).reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
      guard bytes.count - offset - 4 >= count else { throw Malformed() }
      defer { offset += 4 + count }
      return offset + 4..<offset + 4 + count
    }
    func text() throws -> String {
      guard let text = String(validating: try bytes[field()], as: UTF8.self) else { throw Malformed() }
      return text
    }
    var request = EncryptionRequest(verb: verb, device: try text(), name: try text())
    request.isReadOnly = try text() == "ro"
    let passphrase = try field()
    guard offset == bytes.count, request.isSound(hasPassphrase: !passphrase.isEmpty) else { throw Malformed() }
    return (request, passphrase)
  }

  private func isSound(hasPassphrase: Bool) -> Bool {
    let isNamed =
      name.hasPrefix(Encryption.namePrefix) && name.utf8.count <= 100
      && name.utf8.allSatisfy { $0 == UInt8(ascii: "-") || Self.isAlphanumeric($0) }
    let needsPassphrase = [.format, .open, .test].contains(verb)
    return device.hasPrefix("/") && (isNamed || verb == .test) && hasPassphrase == needsPassphrase
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
  }
}

/// Why a step of encryption failed: a line `error ERRNO TEXT`.
struct EncryptionFailure: Error, Hashable, Sendable {
  let errno: Int32
  let text: String

  /// Bytes of text; what is longer is cut.
  static let longest = 400

  init(errno: Int32, _ text: String) {
    self.errno = errno
    let line = String(text.map { $0.isNewline ? " " : $0 })
    self.text = String(decoding: line.utf8.prefix(Self.longest), as: UTF8.self)
  }

  init?(parsing line: String) {
    let parts = line.split(separator: " ", maxSplits: 2)
    guard parts.count == 3, parts[0] == "error", let number = Int32(parts[1]) else { return nil }
    self.init(errno: number, String(parts[2]))
  }

  var line: String { "error \(errno) \(text)" }

  /// In the words of storage. libcryptsetup tells kinds of failures by numbers of errno(3).
  func storageError(_ request: EncryptionRequest) -> StorageError {
    let device = request.device
    let message = "luks \(request.verb.rawValue) of \(device): \(text)"
    switch (errno, request.verb) {
    case (EPERM, .open), (EPERM, .test): return .unauthenticated("the passphrase does not open \(device)")
    case (ENOENT, .open), (ENOENT, .test): return .dataLoss("the LUKS header of \(device) has no usable key: \(text)")
    case (EINVAL, .open), (EINVAL, .test): return .precondition("\(device) cannot be opened as LUKS2: \(text)")
    case (EBUSY, _), (EEXIST, _): return .busy(message)
    case (ENOMEM, _), (EAGAIN, _): return .unavailable(message)
    case (ENOSPC, _): return .exhausted(message)
    default: return .failed(message)
    }
  }
}
