internal import CCSI

/// A message that protobuf-c can read and write through its C struct.
protocol WireMessage: CSIMessage {
  /// The struct that protoc-c made. (A `BitwiseCopyable` bound would be right, but the compiler then fails to find the
  /// conformance of imported structs.)
  associatedtype C

  /// Sets the C struct to defaults, by the function that protoc-c made.
  static func initialize(_ c: UnsafeMutablePointer<C>)

  /// Copies out of a decoded C struct.
  init(_ c: UnsafePointer<C>) throws(CSIDecodeError)

  /// Fills an initialized C struct with what lives as long as the arena.
  func fill(_ c: UnsafeMutablePointer<C>, _ arena: Arena) throws(CSIEncodeError)
}

/// Most memory that one decoded message may take: 4 MiB of the worst input would otherwise need some 200 MiB.
private let decodeLimit = 64 << 20

extension WireMessage {
  /// The descriptor, taken from an initialized struct: a pointer to the imported C constant itself would be a pointer
  /// to a temporary copy in optimized builds.
  static var descriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
    withUnsafeTemporaryAllocation(of: C.self, capacity: 1) { buffer in
      guard let c = buffer.baseAddress else { return nil }
      initialize(c)
      return UnsafeRawPointer(c).assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor
    }
  }

  package init(serialized bytes: UnsafeRawBufferPointer) throws {
    self = try withArena(limit: decodeLimit) { (arena) throws(CSIDecodeError) -> Self in
      let start = bytes.bindMemory(to: UInt8.self).baseAddress
      let message = protobuf_c_message_unpack(Self.descriptor, arena.allocator, bytes.count, start)
      guard let message else { throw .malformed(message: Self.messageName) }
      return try Self(UnsafeRawPointer(message).assumingMemoryBound(to: C.self))
    }
  }

  package func serialize(_ allocate: (Int) throws -> UnsafeMutableRawBufferPointer) throws {
    try withArena(limit: .max) { arena in
      let c = UnsafeRawPointer(try arena.member(self)).assumingMemoryBound(to: ProtobufCMessage.self)
      let size = protobuf_c_message_get_packed_size(c)
      let out = try allocate(size)
      precondition(out.count >= size, "buffer smaller than asked for")
      if let start = out.baseAddress { _ = protobuf_c_message_pack(c, start) }
    }
  }
}

/// Lends an arena at a place where it stays (its allocator points back to it), and frees it.
private func withArena<R, E: Error>(limit: Int, _ body: (Arena) throws(E) -> R) throws(E) -> R {
  var arena = csi_arena()
  return try withUnsafeMutablePointer(to: &arena) { (pointer) throws(E) -> R in
    csi_arena_init(pointer, limit)
    defer { csi_arena_destroy(pointer) }
    return try body(Arena(pointer))
  }
}
