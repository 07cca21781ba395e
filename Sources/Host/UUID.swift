import CLinux

/// A universally unique identifier (RFC 9562).
package struct UUID: Hashable, Sendable, CustomStringConvertible {
  /// Sixteen bytes in network order.
  package let bytes: [UInt8]

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// Version 5: the same for the same `name` and `namespace`, always.
  package init(namespace: UUID, name: String) {
    var name = name
    bytes = name.withUTF8 { text in
      [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
        text.withMemoryRebound(to: CChar.self) {
          cl_uuid_sha1(buffer.baseAddress, namespace.bytes, $0.baseAddress, $0.count)
        }
        count = 16
      }
    }
  }

  /// Version 4.
  package static func random() -> UUID {
    UUID(
      bytes: [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
        cl_uuid_random(buffer.baseAddress)
        count = 16
      })
  }

  /// Reads the text form, hyphens or not; nil unless it is 32 hexadecimal digits.
  package init?(parsing text: String) {
    let digits = text.utf8.filter { $0 != UInt8(ascii: "-") }
    guard digits.count == 32 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 32, by: 2) {
      guard let high = hexDigit(digits[index]), let low = hexDigit(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  /// Lower case with hyphens.
  package var description: String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
