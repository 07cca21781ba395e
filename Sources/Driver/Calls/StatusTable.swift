import GRPC
import Host
import Storage

/// The one place where errors become gRPC codes (CSI spec, Error Scheme).
///
/// A code that callers take as final promises that no work goes on; the codes that are not final (ABORTED, UNAVAILABLE,
/// CANCELLED, DEADLINE_EXCEEDED) ask them to repeat the same call.
extension Status {
  /// - Parameter deadlinePassed: tells a cancellation by deadline from one by the caller.
  init(describing error: any Error, deadlinePassed: Bool) {
    switch error {
    case let status as Status: self = status
    case let error as StorageError: self.init(error.code, Self.cut(error.description))
    case let error as SystemCallError:
      self.init(error.storageError.code, Self.cut(error.storageError.description))
    case is CancellationError:
      self =
        deadlinePassed
        ? Status(.deadlineExceeded, "the deadline passed; the operation may go on, repeat the call to join it")
        : Status(.cancelled, "the caller left; the operation may go on, repeat the call to join it")
    default: self.init(.internal, Self.cut("\(error)"))
    }
  }

  /// Kubernetes keeps 1024 bytes of a message; no longer one is worth sending.
  private static func cut(_ message: String) -> String {
    let limit = 1000
    guard message.utf8.count > limit else { return message }
    var cut = ""
    var length = 0
    for scalar in message.unicodeScalars {
      length += UTF8.width(scalar)
      if length > limit { break }
      cut.unicodeScalars.append(scalar)
    }
    return cut + "..."
  }
}

extension StorageError {
  var code: StatusCode {
    switch self {
    case .invalid: .invalidArgument
    case .notFound: .notFound
    case .incompatible: .alreadyExists
    case .precondition: .failedPrecondition
    case .outOfRange: .outOfRange
    case .exhausted: .resourceExhausted
    case .unsupported: .unimplemented
    case .permissionDenied: .permissionDenied
    case .unauthenticated: .unauthenticated
    case .dataLoss: .dataLoss
    case .failed: .internal
    case .busy: .aborted
    case .staleToken: .aborted
    case .unavailable: .unavailable
    }
  }
}
