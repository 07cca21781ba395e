internal import CCSI
internal import Glibc

/// Memory for the C form of one message; everything in it goes away with the call that made it.
struct Arena {
  private let arena: UnsafeMutablePointer<csi_arena>

  init(_ arena: UnsafeMutablePointer<csi_arena>) { self.arena = arena }

  /// For protobuf-c.
  var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
    // The allocator is the first member of the arena.
    UnsafeMutableRawPointer(arena).assumingMemoryBound(to: ProtobufCAllocator.self)
  }

  private func allocate<T>(_ type: T.Type, _ count: Int, _ message: StaticString) throws(CSIEncodeError)
    -> UnsafeMutablePointer<T>
  {
    guard let block = csi_arena_alloc(arena, MemoryLayout<T>.stride * count) else {
      throw .outOfMemory(message: "\(message)")
    }
    return block.bindMemory(to: type, capacity: count)
  }

  func string(_ text: String, _ message: StaticString) throws(CSIEncodeError) -> CString {
    var text = text
    let count = text.utf8.count
    let copy = try allocate(CChar.self, count + 1, message)
    text.withUTF8 { if let start = $0.baseAddress { memcpy(copy, start, count) } }
    copy[count] = 0
    guard memchr(copy, 0, count) == nil else { throw .embeddedNUL(message: "\(message)") }
    return copy
  }

  func strings(_ texts: [String], _ message: StaticString) throws(CSIEncodeError) -> UnsafeMutablePointer<CString?> {
    let list = try allocate(CString?.self, texts.count, message)
    for (index, text) in texts.enumerated() { list[index] = try string(text, message) }
    return list
  }

  /// The entries of a map in the order of its keys. `initialize` is the function of protoc-c for this map's entries.
  func map<Entry>(
    _ map: [String: String], _ initialize: (UnsafeMutablePointer<Entry>) -> Void, _ message: StaticString
  ) throws(CSIEncodeError) -> UnsafeMutablePointer<UnsafeMutablePointer<Entry>?> {
    let list = try allocate(UnsafeMutablePointer<Entry>?.self, map.count, message)
    for (index, (key, value)) in map.sorted(by: { $0.key < $1.key }).enumerated() {
      let c = try allocate(Entry.self, 1, message)
      initialize(c)
      let entry = UnsafeMutableRawPointer(c).assumingMemoryBound(to: csi_map_entry.self)
      entry.pointee.key = try string(key, message)
      entry.pointee.value = try string(value, message)
      list[index] = c
    }
    return list
  }

  /// A message that is there.
  func member<M: WireMessage>(_ message: M) throws(CSIEncodeError) -> UnsafeMutablePointer<M.C> {
    let c = try allocate(M.C.self, 1, "message")
    M.initialize(c)
    try message.fill(c, self)
    return c
  }

  /// A message that can be absent.
  func message<M: WireMessage>(_ message: M?) throws(CSIEncodeError) -> UnsafeMutablePointer<M.C>? {
    guard let message else { return nil }
    return try member(message)
  }

  func messages<M: WireMessage>(_ messages: [M]) throws(CSIEncodeError)
    -> UnsafeMutablePointer<UnsafeMutablePointer<M.C>?>
  {
    let list = try allocate(UnsafeMutablePointer<M.C>?.self, messages.count, "message")
    for (index, message) in messages.enumerated() { list[index] = try member(message) }
    return list
  }

  /// A `google.protobuf.BoolValue`.
  func wrapper(_ value: Bool?) throws(CSIEncodeError) -> UnsafeMutablePointer<Google__Protobuf__BoolValue>? {
    guard let value else { return nil }
    let c = try allocate(Google__Protobuf__BoolValue.self, 1, "BoolValue")
    google__protobuf__bool_value__init(c)
    c.pointee.value = value ? 1 : 0
    return c
  }

  /// A `google.protobuf.Int64Value`.
  func wrapper(_ value: Int64?) throws(CSIEncodeError) -> UnsafeMutablePointer<Google__Protobuf__Int64Value>? {
    guard let value else { return nil }
    let c = try allocate(Google__Protobuf__Int64Value.self, 1, "Int64Value")
    google__protobuf__int64_value__init(c)
    c.pointee.value = value
    return c
  }
}
