import Synchronization

/// What an operation locks.
package enum OperationKey: Hashable, Sendable {
  /// The volume with this id: its bytes, its size, its existence.
  case volume(QualifiedID)
  /// The volume's mounts on this node.
  case nodeVolume(QualifiedID)
  /// The point in time of the volume's snapshots: one is cut at a time.
  case cut(QualifiedID)
  /// Volumes by the name that the CO gives at creation.
  case volumeName(String)
  case snapshot(QualifiedID)
  case snapshotName(String)
  case group(QualifiedID)
  case groupName(String)
  /// A path of the CO on this node.
  case path(String)
}

/// Try-locks for whole operations: a key that is busy answers at once, nobody waits for a lock.
///
/// An operation runs in a task of its own and runs to its end even when its caller goes away (deadline, cancellation):
/// half-done work heals worst. While such an abandoned operation goes on, a repeat of the same request becomes its new
/// caller and gets its result; any other request for its keys is refused. The result of an operation that ends without
/// a caller is dropped, the next repeat finds its effects.
package final class OperationGate: Sendable {
  private let held = Mutex<[OperationKey: Hold]>([:])

  package init() {}

  /// How many keys are locked now.
  package var heldKeys: Int { held.withLock { $0.count } }

  /// Runs `operation` while holding `exclusive` alone and `shared` together with other sharers.
  ///
  /// - Parameter request: tells repeats from other requests; equal requests with equal exclusive keys are repeats.
  /// - Throws: `StorageError.busy` when a key is taken, `CancellationError` when the caller is cancelled first (the
  ///   operation goes on), else what `operation` throws.
  package func run<Value: Sendable>(
    exclusive: [OperationKey], shared: [OperationKey] = [], request: some Hashable & Sendable,
    _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    try Task.checkCancellation()
    let exclusive = Set(exclusive)
    let shared = Set(shared).subtracting(exclusive)
    let fresh = Operation<Value>(request: AnySendableHashable(request), keys: exclusive)
    switch try admit(fresh, exclusive: exclusive, shared: shared) {
    case .started:
      start(fresh, shared: shared, operation)
      return try await fresh.result(for: 1)
    case .joined(let abandoned, let number):
      return try await abandoned.result(for: number)
    }
  }

  private enum Admission<Value: Sendable> {
    case started
    case joined(Operation<Value>, caller: Int)
  }

  private func admit<Value>(
    _ fresh: Operation<Value>, exclusive: Set<OperationKey>, shared: Set<OperationKey>
  ) throws -> Admission<Value> {
    try held.withLock { held in
      for key in exclusive {
        guard let hold = held[key] else { continue }
        guard case .exclusive(let running) = hold, let same = running as? Operation<Value>,
          let number = same.adopt(fresh)
        else {
          throw StorageError.busy("another operation for \(key.subject) is going on")
        }
        return .joined(same, caller: number)
      }
      for key in shared {
        if case .exclusive = held[key] {
          throw StorageError.busy("another operation for \(key.subject) is going on")
        }
      }
      for key in exclusive { held[key] = .exclusive(fresh) }
      for key in shared {
        if case .shared(let count) = held[key] { held[key] = .shared(count + 1) } else { held[key] = .shared(1) }
      }
      return .started
    }
  }

  /// The task must not be a child: it outlives the caller. It keeps to the caller's task executor, because it blocks.
  private func start<Value>(
    _ operation: Operation<Value>, shared: Set<OperationKey>, _ body: @escaping @Sendable () async throws -> Value
  ) {
    let run: @Sendable () async -> Void = { [self] in
      let result: Result<Value, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      release(operation.keys, shared)
      operation.finish(result)
    }
    Task(executorPreference: withUnsafeCurrentTask { $0?.unownedTaskExecutor?.asTaskExecutor() }, operation: run)
  }

  private func release(_ exclusive: Set<OperationKey>, _ shared: Set<OperationKey>) {
    held.withLock { held in
      for key in exclusive { held[key] = nil }
      for key in shared {
        if case .shared(let count) = held[key], count > 1 { held[key] = .shared(count - 1) } else { held[key] = nil }
      }
    }
  }
}

extension OperationKey {
  /// For messages.
  fileprivate var subject: String {
    switch self {
    case .volume(let id), .nodeVolume(let id), .cut(let id): "volume \(id)"
    case .volumeName(let name): "volume name \(name)"
    case .snapshot(let id): "snapshot \(id)"
    case .snapshotName(let name): "snapshot name \(name)"
    case .group(let id): "group snapshot \(id)"
    case .groupName(let name): "group snapshot name \(name)"
    case .path(let path): "path \(path)"
    }
  }
}

private enum Hold: Sendable {
  case exclusive(any Sendable & AnyObject)
  case shared(Int)
}

/// A hashable value whose type is forgotten; values of different types are unequal.
private struct AnySendableHashable: Equatable, Sendable {
  private let value: any Hashable & Sendable
  init(_ value: any Hashable & Sendable) { self.value = value }
  static func == (a: Self, b: Self) -> Bool { AnyHashable(a.value) == AnyHashable(b.value) }
}

/// One running operation and, while it has one, its caller.
private final class Operation<Value: Sendable>: Sendable {
  private enum Caller {
    /// A caller is there; its continuation follows when it begins to wait.
    case present(CheckedContinuation<Value, any Error>?)
    case gone
    case done(Result<Value, any Error>)
  }

  private struct State {
    var caller = Caller.present(nil)
    /// Counts the callers, so that one that left does not speak for the next.
    var callers = 1
  }

  let request: AnySendableHashable
  let keys: Set<OperationKey>
  private let state = Mutex(State())

  init(request: AnySendableHashable, keys: Set<OperationKey>) {
    self.request = request
    self.keys = keys
  }

  /// Takes a repeat of its own request as its new caller when the last one has left.
  /// - Returns: the new caller's number, or nil when it is refused.
  func adopt(_ repeated: Operation<Value>) -> Int? {
    guard request == repeated.request, keys == repeated.keys else { return nil }
    return state.withLock {
      guard case .gone = $0.caller else { return nil }
      $0.caller = .present(nil)
      $0.callers += 1
      return $0.callers
    }
  }

  /// The outcome, or `CancellationError` as soon as the caller with this number is cancelled.
  func result(for number: Int) async throws -> Value {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Value, any Error>? = state.withLock {
          guard $0.callers == number else { return .failure(CancellationError()) }
          switch $0.caller {
          case .present:
            $0.caller = .present(continuation)
            return nil
          case .gone: return .failure(CancellationError())
          case .done(let result): return result
          }
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let waiting: CheckedContinuation<Value, any Error>? = state.withLock {
        guard $0.callers == number, case .present(let waiting) = $0.caller else { return nil }
        $0.caller = .gone
        return waiting
      }
      waiting?.resume(throwing: CancellationError())
    }
  }

  func finish(_ result: Result<Value, any Error>) {
    let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
      defer { state.caller = .done(result) }
      guard case .present(let waiting) = state.caller else { return nil }
      return waiting
    }
    waiting?.resume(with: result)
  }
}
