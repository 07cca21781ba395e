import CGRPC

/// How messages of one type become bytes and come back.
package struct Codec<Message>: Sendable {
  /// Reads a message. The bytes are valid during the call only. A `Status` it throws is the call's status; any other
  /// error means "malformed": INVALID_ARGUMENT for a request, INTERNAL for a response.
  package let decode: @Sendable (UnsafeRawBufferPointer) throws -> Message
  /// Writes a message: asks once for a buffer of the exact size, and fills all of it.
  package let encode: @Sendable (Message, (Int) -> UnsafeMutableRawBufferPointer) throws -> Void

  package init(
    decode: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Message,
    encode: @escaping @Sendable (Message, (Int) -> UnsafeMutableRawBufferPointer) throws -> Void
  ) {
    self.decode = decode
    self.encode = encode
  }
}

extension Codec<[UInt8]> {
  /// Messages that are bytes already.
  package static let bytes = Codec(
    decode: { [UInt8]($0) },
    encode: { message, allocate in
      let target = allocate(message.count)
      message.withUnsafeBytes { target.copyMemory(from: $0) }
    })
}

/// A message ready to be sent. It must be consumed exactly once: handed to the C side, or discarded. It may cross
/// threads, since only the one who is about to consume it has it.
struct OutgoingMessage: @unchecked Sendable {
  let buffer: cgrpc_buffer

  func discard() { cgrpc_buffer_discard(buffer) }
}

extension Codec {
  /// `message` in a buffer that gRPC core sends as it is.
  func outgoing(_ message: Message) throws(Status) -> OutgoingMessage {
    var buffer: cgrpc_buffer?
    do {
      try encode(message) { size in
        if let earlier = buffer { cgrpc_buffer_discard(earlier) }
        let fresh = cgrpc_buffer_create(size)
        buffer = fresh
        return UnsafeMutableRawBufferPointer(start: fresh.bytes, count: size)
      }
      return OutgoingMessage(buffer: buffer ?? cgrpc_buffer_create(0))
    } catch {
      if let buffer { cgrpc_buffer_discard(buffer) }
      throw (error as? Status) ?? Status(.internal, "cannot encode the message: \(error)")
    }
  }

  /// The message in `view`; anything but a `Status` thrown by the codec becomes `malformed` with the reason.
  func message(in view: cgrpc_view, malformed code: StatusCode, _ what: String) throws(Status) -> Message {
    guard let bytes = view.bytes else { throw Status(.internal, "the call carries no \(what)") }
    do {
      return try decode(UnsafeRawBufferPointer(start: bytes, count: view.length))
    } catch {
      throw (error as? Status) ?? Status(code, "malformed \(what): \(error)")
    }
  }
}
