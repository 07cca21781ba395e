import Storage

/// Where a listing goes on: behind the last id that was told. An id and not an index, so that volumes that come and go
/// between two pages neither repeat nor hide others, and a token stays good when its volume is deleted.
///
/// On the wire it is the hexadecimal form of `<backend>:<native id>`: opaque, and safe in any client's URL or log.
struct PageToken: Hashable, Sendable {
  let backend: BackendName
  let last: NativeID

  init(backend: BackendName, last: NativeID) {
    self.backend = backend
    self.last = last
  }

  /// - Throws: `StorageError.staleToken` for a token that this driver did not issue.
  init(parsing token: String) throws {
    let stale = StorageError.staleToken("starting_token is not one that this driver issued")
    let digits = Array(token.utf8)
    guard digits.count % 2 == 0, digits.count <= 1024 else { throw stale }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else { throw stale }
      bytes.append(high << 4 | low)
    }
    guard let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":"),
      let backend = try? BackendName(validating: String(text[..<colon]))
    else { throw stale }
    self.init(backend: backend, last: NativeID(String(text[text.index(after: colon)...])))
  }

  var text: String {
    var text = ""
    for byte in "\(backend):\(last)".utf8 {
      text.append(Self.digits[Int(byte >> 4)])
      text.append(Self.digits[Int(byte & 15)])
    }
    return text
  }

  private static let digits = Array("0123456789abcdef")

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
