import Storage

/// Threads for single pieces of blocking work that may take minutes, so that the pool's threads stay free.
package enum OwnThread {
  /// Runs `work` to its end on a new thread, whatever becomes of the caller.
  package static func run<T: Sendable>(_ name: String, _ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      let started = Thread.start(name: name) { continuation.resume(with: Result { try work() }) }
      if !started { continuation.resume(throwing: StorageError.unavailable("the system has no thread to give")) }
    }
  }
}
