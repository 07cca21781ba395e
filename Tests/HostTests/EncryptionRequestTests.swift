import Glibc
import Storage
import Testing

@testable import Host

@Suite struct EncryptionRequestTests {
  private func sent(_ request: EncryptionRequest, _ passphrase: String?) throws -> [UInt8] {
    let pipe = try Pipe()
    try request.write(to: pipe.writing, try passphrase.map(Passphrase.init))
    var bytes = [UInt8](repeating: 0, count: EncryptionRequest.limit)
    let count = read(pipe.reading.raw, &bytes, bytes.count)
    return Array(bytes.prefix(max(count, 0)))
  }

  private func parsed(_ verb: String, _ bytes: [UInt8]) throws -> (EncryptionRequest, String) {
    try bytes.withUnsafeBytes {
      let (request, range) = try EncryptionRequest.parse(verb, $0)
      return (request, String(decoding: $0[range], as: UTF8.self))
    }
  }

  @Test func `a request arrives as it was sent, whatever bytes its passphrase has`() throws {
    for passphrase in ["x", "a\0b\nc", "pässwörter", String(repeating: "p", count: Passphrase.limit)] {
      for readOnly in [false, true] {
        let request = EncryptionRequest(verb: .open, device: "/dev/x y", name: "stowage-1f", isReadOnly: readOnly)
        let (read, secret) = try parsed("open", try sent(request, passphrase))
        #expect(read == request)
        #expect(secret == passphrase)
      }
    }
    let close = EncryptionRequest(verb: .close, device: "/dev/loop0", name: "stowage-1f")
    #expect(try parsed("close", try sent(close, nil)) == (close, ""))
  }

  @Test func `what is cut, longer or unsound is malformed`() throws {
    let good = try sent(EncryptionRequest(verb: .open, device: "/dev/x", name: "stowage-1f"), "secret")
    for count in 0..<good.count {
      #expect(throws: EncryptionRequest.Malformed.self) { try parsed("open", Array(good.prefix(count))) }
    }
    #expect(throws: EncryptionRequest.Malformed.self) { try parsed("open", good + [0]) }
    #expect(throws: EncryptionRequest.Malformed.self) { try parsed("wipe", good) }
    #expect(throws: EncryptionRequest.Malformed.self) { try parsed("close", good) }
    #expect(throws: EncryptionRequest.Malformed.self) {
      try parsed("open", [UInt8](repeating: 0xff, count: 64))
    }
    for (device, name) in [("dev/x", "stowage-1f"), ("/dev/x", "root"), ("/dev/x", "stowage-../x")] {
      let bytes = try sent(EncryptionRequest(verb: .open, device: device, name: name), "secret")
      #expect(throws: EncryptionRequest.Malformed.self) { try parsed("open", bytes) }
    }
  }

  @Test func `a passphrase is never rendered, and has a length`() throws {
    let passphrase = try Passphrase("sentinel")
    #expect(!"\(passphrase)".contains("sentinel"))
    #expect(!String(reflecting: passphrase).contains("sentinel"))
    var dumped = ""
    dump(passphrase, to: &dumped)
    #expect(!dumped.contains("sentinel"))
    #expect(throws: StorageError.self) { try Passphrase("") }
    #expect(throws: StorageError.self) { try Passphrase(String(repeating: "p", count: Passphrase.limit + 1)) }
  }

  @Test func `failures cross the pipe as one line and become the words of storage`() {
    let failure = EncryptionFailure(errno: EPERM, "No key\navailable " + String(repeating: "x", count: 900))
    #expect(!failure.line.contains("\n"))
    #expect(EncryptionFailure(parsing: failure.line) == failure)
    #expect(EncryptionFailure(parsing: "ok") == nil)
    let open = EncryptionRequest(verb: .open, device: "/dev/x", name: "stowage-1")
    let close = EncryptionRequest(verb: .close, device: "/dev/x", name: "stowage-1")
    #expect(failure.storageError(open) == .unauthenticated("the passphrase does not open /dev/x"))
    let opening = "luks open of /dev/x: why"
    let closing = "luks close of /dev/x: why"
    for (number, request, wanted) in [
      (EBUSY, close, .busy(closing)), (EINVAL, close, .failed(closing)), (ENOMEM, open, .unavailable(opening)),
      (ENOSYS, open, .failed(opening)), (ENOENT, open, .dataLoss("the LUKS header of /dev/x has no usable key: why")),
      (EINVAL, open, .precondition("/dev/x cannot be opened as LUKS2: why")),
    ] as [(Int32, EncryptionRequest, StorageError)] {
      #expect(EncryptionFailure(errno: number, "why").storageError(request) == wanted)
    }
  }
}
