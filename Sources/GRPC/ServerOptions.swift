/// What can be chosen about a server.
package struct ServerOptions: Sendable {
  /// The permission bits of the socket.
  package var socketMode: UInt32 = 0o660
  /// The longest request accepted, in bytes; a longer one answers RESOURCE_EXHAUSTED.
  package var maxMessageBytes: Int32 = 4 << 20
  /// Where the lock files live that keep two servers off one socket. Nil: `/run/stowage/locks` where that can be made,
  /// else a directory of the user's own.
  package var lockDirectory: String?
  /// How long `Server.shutdown` waits for handlers that were cancelled, before it returns without them.
  package var cancelledHandlerLimit: Duration = .seconds(5)

  package init() {}

  /// The settings of gRPC core, by its names.
  var arguments: [(key: String, value: Int32)] {
    [
      ("grpc.max_receive_message_length", maxMessageBytes),
      // Clients that ping an idle connection every 10 s are welcome; core's defaults would send them away with
      // "too_many_pings".
      ("grpc.keepalive_permit_without_calls", 1),
      ("grpc.http2.min_ping_interval_without_data_ms", 5000),
      ("grpc.http2.max_ping_strikes", 0),
      ("grpc.so_reuseport", 0),
    ]
  }
}
