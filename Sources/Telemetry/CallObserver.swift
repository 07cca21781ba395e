/// Told of every call that the server handles; metrics come from here.
package protocol CallObserver: Sendable {
  /// - Parameter method: the full gRPC path, `/csi.v1.Controller/CreateVolume`.
  func callBegan(_ method: String)
  /// - Parameters:
  ///   - code: the status code's name, `OK` or `ALREADY_EXISTS`.
  ///   - seconds: from the beginning of the handler to its answer.
  func callEnded(_ method: String, code: String, seconds: Double)
}
