import CGRPC
import Synchronization

/// A `Mutex` whose order ThreadSanitizer can see: the runtime's own is not instrumented, and without these two calls,
/// which do nothing in other builds, each use would be reported as a race.
struct Guarded<State>: ~Copyable, Sendable {
  private let mutex: Mutex<State>

  init(_ state: consuming sending State) {
    mutex = Mutex(state)
  }

  borrowing func withLock<Result, Failure: Error>(
    _ body: (inout sending State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    try mutex.withLock { state throws(Failure) in
      withUnsafePointer(to: mutex) { cgrpc_lock_taken($0) }
      defer { withUnsafePointer(to: mutex) { cgrpc_lock_leaving($0) } }
      return try body(&state)
    }
  }
}
