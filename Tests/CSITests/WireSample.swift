internal import CCSI

@testable import CSI

/// The wire form of a message with every field set, by an encoder of its own that knows only the descriptor of
/// protoc-c. All texts and numbers differ, so that a value in the wrong field is seen.
struct WireSample {
  /// A word in every secret, and in nothing else.
  static let secretWord = "hunter2"

  /// Which alternative of each oneof is set: this one, modulo their number.
  var alternative = 0
  private var counter: Int64 = 0

  init(alternative: Int = 0) { self.alternative = alternative }

  /// Every message with every alternative of its own oneof, serialized.
  static func all() -> [(type: any CSIMessage.Type, bytes: [UInt8])] {
    allMessages.flatMap { type in
      (0..<3).map { alternative in
        var sample = WireSample(alternative: alternative)
        return (type, sample.bytes(of: type))
      }
    }
  }

  mutating func bytes(of type: any CSIMessage.Type) -> [UInt8] {
    guard let wire = type as? any WireMessage.Type, let descriptor = wire.descriptor else { return [] }
    return message(descriptor.pointee, isSecret: false)
  }

  private mutating func message(_ descriptor: ProtobufCMessageDescriptor, isSecret: Bool) -> [UInt8] {
    let fields = Array(UnsafeBufferPointer(start: descriptor.fields, count: Int(descriptor.n_fields)))
    let alternatives = fields.filter { $0.flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0 }
    let chosen = alternatives.isEmpty ? 0 : alternatives[alternative % alternatives.count].id
    var bytes: [UInt8] = []
    for field in fields {
      if alternatives.contains(where: { $0.id == field.id }) && field.id != chosen { continue }
      for _ in 0..<(field.label == PROTOBUF_C_LABEL_REPEATED ? 2 : 1) { bytes += self.field(field, isSecret: isSecret) }
    }
    return bytes
  }

  private mutating func field(_ field: ProtobufCFieldDescriptor, isSecret: Bool) -> [UInt8] {
    counter += 1
    let name = String(cString: field.name)
    switch field.type {
    case PROTOBUF_C_TYPE_STRING:
      let secret = isSecret && name == "value" ? Self.secretWord : ""
      return Wire.text(field.id, "\(name) \(counter / 10)\(counter % 10) \(secret) é漢🙂")
    case PROTOBUF_C_TYPE_MESSAGE:
      let inner = field.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
      return Wire.bytes(field.id, message(inner.pointee, isSecret: isSecret || name == "secrets"))
    case PROTOBUF_C_TYPE_BOOL: return Wire.number(field.id, 1)
    case PROTOBUF_C_TYPE_INT64: return Wire.number(field.id, counter % 2 == 0 ? .max - counter : .min + counter)
    case PROTOBUF_C_TYPE_INT32: return Wire.number(field.id, name == "nanos" ? 1 : Int64(Int32.max) - counter)
    case PROTOBUF_C_TYPE_ENUM: return Wire.number(field.id, counter % 3 == 0 ? -7 : counter % 3 == 1 ? 1 : 4711)
    default: return []
    }
  }
}

/// Pieces of the wire form of protobuf.
enum Wire {
  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest > 0x7F {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func number(_ field: UInt32, _ value: Int64) -> [UInt8] {
    varint(UInt64(field) << 3) + varint(UInt64(bitPattern: value))
  }

  static func bytes(_ field: UInt32, _ content: [UInt8]) -> [UInt8] {
    varint(UInt64(field) << 3 | 2) + varint(UInt64(content.count)) + content
  }

  /// Where the fields of a message end; 0 is the end of none. Knows numbers and what has a length.
  static func fieldEnds(_ bytes: [UInt8]) -> Set<Int> {
    var ends: Set = [0]
    var index = 0
    func varint() -> Int {
      var value = 0
      for shift in stride(from: 0, to: 63, by: 7) {
        let byte = Int(bytes[index])
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 { break }
      }
      return value
    }
    while index < bytes.count {
      if varint() & 7 == 2 {
        let count = varint()
        index += count
      } else {
        index = 1 + (bytes[index...].firstIndex { $0 < 0x80 } ?? index)
      }
      ends.insert(index)
    }
    return ends
  }

  static func text(_ field: UInt32, _ text: String) -> [UInt8] { bytes(field, Array(text.utf8)) }
}
