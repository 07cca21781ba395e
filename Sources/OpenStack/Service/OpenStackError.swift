import HTTP
import Storage

/// Why a service did not do what was asked. Messages are short and free of secrets.
package struct OpenStackError: Error, Hashable, Sendable {
  package enum Cause: Hashable, Sendable {
    /// The service answered with this status.
    case status(Int)
    /// There is no answer.
    case transport(HTTPError)
    /// The caller's deadline passed before the request was sent, or while waiting for its effect.
    case timedOut
    /// The answer is not what the API promises.
    case malformed
    /// The cloud has no such service, or none that is new enough.
    case notOffered
  }

  /// nil: Keystone.
  package var service: ServiceKind?
  package var cause: Cause
  /// What the service said, or what is wrong, for people.
  package var message: String
  /// By which the service's operator finds the request in the logs.
  package var requestID: String?
  /// How long the service asks to wait.
  package var retryAfter: Duration?

  package init(
    _ service: ServiceKind?, _ cause: Cause, _ message: String, requestID: String? = nil, retryAfter: Duration? = nil
  ) {
    self.service = service
    self.cause = cause
    self.message = message
    self.requestID = requestID
    self.retryAfter = retryAfter
  }

  package var status: Int? { if case .status(let status) = cause { status } else { nil } }
}

extension OpenStackError: CustomStringConvertible {
  /// `Cinder: Volume x could not be found. (404, req-...)`
  package var description: String {
    let notes = [status.map(String.init), requestID].compactMap(\.self).joined(separator: ", ")
    return "\(service?.project ?? "Keystone"): \(message)\(notes.isEmpty ? "" : " (\(notes))")"
  }
}

extension OpenStackError {
  /// What the status and the words mean together. Words count where one status stands for several things.
  package enum Kind: Hashable, Sendable {
    case quota, busyService, wrongState, invalid, unauthenticated, forbidden, tooManyDevices, notFound,
      serviceMissing, conflict, unsupported, failed, unreachable, timedOut
  }

  package var kind: Kind {
    switch cause {
    case .transport(.timedOut), .timedOut: .timedOut
    case .transport: .unreachable
    case .malformed: .failed
    case .notOffered: .unsupported
    case .status(let status): kind(of: status)
    }
  }

  private func kind(of status: Int) -> Kind {
    let words = message.lowercased()
    func says(_ parts: String...) -> Bool { parts.contains { words.contains($0) } }
    switch status {
    case 400 where says("status must be", "must be available", "invalid status", "is not in", "invalid volume: volume"):
      return .wrongState
    case 400, 422: return .invalid
    case 401: return .unauthenticated
    case 403 where says("quota"): return .quota
    case 403 where says("disk devices"): return .tooManyDevices
    case 403: return .forbidden
    // "Service cinder-backup could not be found.": the object is still there.
    case 404 where words.hasSuffix(" could not be found.") && words.hasPrefix("service "):
      return .serviceMissing
    case 404: return .notFound
    case 406: return .unsupported
    case 409: return .conflict
    case 413 where says("quota", "limitexceeded", "maximum number of"): return .quota
    case 408, 413, 429, 502, 503, 504: return .busyService
    default: return .failed
    }
  }

  /// The same in the words of storage. Callers that know what they asked for look at `kind` first.
  package var storageError: StorageError {
    let text = String(description.prefix(900))
    return switch kind {
    case .quota, .tooManyDevices: .exhausted(text)
    case .busyService, .serviceMissing, .unreachable, .timedOut: .unavailable(text)
    case .wrongState: .precondition(text)
    case .invalid: .invalid(text)
    case .unauthenticated: .unauthenticated(text)
    case .forbidden: .permissionDenied(text)
    case .notFound: .notFound(text)
    case .conflict: message.lowercased().contains("locked") ? .precondition(text) : .busy(text)
    case .unsupported: .unsupported(text)
    case .failed: .failed(text)
    }
  }
}
