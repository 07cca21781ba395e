/// One call of the protocol.
package struct Method<Request: CSIMessage, Response: CSIMessage>: Sendable {
  /// Path on the wire, such as `/csi.v1.Identity/Probe`.
  package let path: String
  /// Name of the service, such as `Identity`.
  package let service: String
  /// Name of the call, such as `Probe`; unique in the protocol.
  package let name: String
  /// True when the answer is a stream of responses.
  package let isStreaming: Bool
}

/// A call whose types are known at run time only.
package struct AnyMethod: Sendable, CustomStringConvertible {
  /// Path on the wire, such as `/csi.v1.Identity/Probe`.
  package let path: String
  /// Name of the service, such as `Identity`.
  package let service: String
  /// Name of the call, such as `Probe`; unique in the protocol.
  package let name: String
  /// True when the answer is a stream of responses.
  package let isStreaming: Bool
  /// True when the protocol may still change it.
  package let isAlpha: Bool
  package let request: any CSIMessage.Type
  package let response: any CSIMessage.Type

  init<Q, R>(_ method: Method<Q, R>, isAlpha: Bool) {
    path = method.path
    service = method.service
    name = method.name
    isStreaming = method.isStreaming
    self.isAlpha = isAlpha
    request = Q.self
    response = R.self
  }

  package var description: String { path }
}
