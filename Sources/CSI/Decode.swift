internal import CCSI
internal import Glibc

typealias CString = UnsafeMutablePointer<CChar>

/// Copies of what protobuf-c decoded. The `field` names are for errors.
enum Decode {
  /// A text, whose length the arena knows. protobuf-c checks neither UTF-8 nor NUL.
  static func string(_ text: CString?, _ field: StaticString) throws(CSIDecodeError) -> String {
    let count = csi_string_length(text)
    guard let text, count > 0 else { return "" }
    guard memchr(text, 0, count) == nil else { throw .embeddedNUL(field: "\(field)") }
    let bytes = UnsafeRawBufferPointer(start: text, count: count).bindMemory(to: UInt8.self)
    // Eight times as fast as `String(validating:as:)`.
    guard let valid = try? UTF8Span(validating: bytes.span) else { throw .invalidUTF8(field: "\(field)") }
    return String(copying: valid)
  }

  static func strings(
    _ texts: UnsafeMutablePointer<CString?>?, _ count: Int, _ field: StaticString
  ) throws(CSIDecodeError) -> [String] {
    guard let texts, count > 0 else { return [] }
    var result: [String] = []
    result.reserveCapacity(count)
    for index in 0..<count { result.append(try string(texts[index], field)) }
    return result
  }

  /// A map; of entries with the same key the last one counts, as protobuf has it.
  static func map<Entry>(
    _ entries: UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>?, _ count: Int, _ field: StaticString
  ) throws(CSIDecodeError) -> [String: String] {
    guard let entries, count > 0 else { return [:] }
    var result: [String: String] = [:]
    result.reserveCapacity(count)
    for index in 0..<count {
      guard let raw = UnsafeRawPointer(entries[index]) else { continue }
      let entry = raw.assumingMemoryBound(to: csi_map_entry.self)
      result[try string(entry.pointee.key, field)] = try string(entry.pointee.value, field)
    }
    return result
  }

  static func message<M: WireMessage>(_ c: UnsafeMutablePointer<M.C>?) throws(CSIDecodeError) -> M? {
    guard let c else { return nil }
    return try M(UnsafePointer(c))
  }

  /// A member of a oneof that is set; protobuf-c then always has a struct.
  static func member<M: WireMessage>(_ c: UnsafeMutablePointer<M.C>?) throws(CSIDecodeError) -> M {
    guard let c else { throw .malformed(message: M.messageName) }
    return try M(UnsafePointer(c))
  }

  static func messages<M: WireMessage>(
    _ list: UnsafeMutablePointer<UnsafeMutablePointer<M.C>?>?, _ count: Int
  ) throws(CSIDecodeError) -> [M] {
    guard let list, count > 0 else { return [] }
    var result: [M] = []
    result.reserveCapacity(count)
    for index in 0..<count {
      guard let c = list[index] else { continue }
      result.append(try M(UnsafePointer(c)))
    }
    return result
  }
}
