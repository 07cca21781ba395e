import CGRPC

/// The log lines of gRPC core itself. Unless a sink is set, core writes its errors, and nothing else, to stderr
/// (`GRPC_VERBOSITY` in the environment changes how much it tells).
package enum CoreLog {
  package enum Severity: Int32, Sendable {
    case debug, info, error
  }

  private static let sink = Guarded<(@Sendable (Severity, String) -> Void)?>(nil)

  /// Sends core's lines to `newSink` instead of stderr. It may be called on any thread and must not block.
  package static func setSink(_ newSink: @escaping @Sendable (Severity, String) -> Void) {
    sink.withLock { $0 = newSink }
    cgrpc_set_log_function { severity, file, line, message in
      guard let message, let sink = CoreLog.sink.withLock({ $0 }) else { return }
      let place = file.map { "\(String(cString: $0)):\(line): " } ?? ""
      sink(Severity(rawValue: severity) ?? .error, place + String(cString: message))
    }
  }
}
