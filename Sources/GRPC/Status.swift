/// The outcome of a call, by the numbers of the gRPC protocol ("Status codes and their use in gRPC").
package enum StatusCode: Int32, Sendable, CaseIterable {
  case ok = 0
  case cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
  case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable, dataLoss
  case unauthenticated

  /// The name in the protocol's own spelling, such as `INVALID_ARGUMENT`; what logs and metrics show.
  package var name: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

/// How a call ended, as handlers throw it and clients catch it.
package struct Status: Error, Hashable, Sendable, CustomStringConvertible {
  package var code: StatusCode
  /// For people; any Unicode, percent-coded on the wire by gRPC core.
  package var message: String

  package init(_ code: StatusCode, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The status that a handler's error stands for: a `Status` itself, CANCELLED for a cancelled task, else UNKNOWN.
  package init(of error: any Error) {
    switch error {
    case let status as Status: self = status
    case is CancellationError: self.init(.cancelled, "the call was cancelled")
    default: self.init(.unknown, "\(error)")
    }
  }

  package var description: String { "\(code.name): \(message)" }
}
