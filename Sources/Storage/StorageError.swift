/// What can go wrong below the CSI services, in the words of storage. Every case but those of the last group is final:
/// whoever throws it promises that no work goes on behind it (CSI spec, Error Scheme).
///
/// Messages are for people, short (< 1 KiB) and free of secrets.
package enum StorageError: Error, Hashable, Sendable {
  /// A field of the request is missing, malformed or not supported.
  case invalid(String)
  /// The named object does not exist.
  case notFound(String)
  /// The object exists under this name or path, but was made by an incompatible request.
  case incompatible(String)
  /// The object's state or its dependants forbid the operation; a repeat fails until the caller changes that.
  case precondition(String)
  /// A size or offset outside what is possible.
  case outOfRange(String)
  /// No space, no quota, no slot, or no place that satisfies the topology.
  case exhausted(String)
  /// The backend can never do this.
  case unsupported(String)
  /// The secrets name a user without permission.
  case permissionDenied(String)
  /// The secrets are missing or wrong.
  case unauthenticated(String)
  /// Stored data is damaged or gone.
  case dataLoss(String)
  /// A system call, command or service failed in a way that the request does not explain.
  case failed(String)

  // Not final: the caller repeats the same call.

  /// Another operation holds the object, or this one goes on and a repeat joins it.
  case busy(String)
  /// A page token that this driver did not issue, or that no longer means anything.
  case staleToken(String)
  /// A dependency does not answer now.
  case unavailable(String)
}

extension StorageError {
  /// Not final: work may go on, and the caller repeats the same call.
  package var isTransient: Bool {
    switch self {
    case .busy, .staleToken, .unavailable: true
    default: false
    }
  }
}

extension StorageError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .invalid(let m), .notFound(let m), .incompatible(let m), .precondition(let m), .outOfRange(let m),
      .exhausted(let m), .unsupported(let m), .permissionDenied(let m), .unauthenticated(let m), .dataLoss(let m),
      .failed(let m), .busy(let m), .staleToken(let m), .unavailable(let m):
      m
    }
  }
}
