import Glibc
import Synchronization
import Testing

/// A condition that keeps a scenario from a run, counted and told at the end of it: nothing is left out in silence.
struct Applicability: TestTrait {
  let applies: Bool
  let reason: String

  func prepare(for test: Test) async throws {
    if !applies { LeftOut.add(test.displayName ?? test.name, reason) }
    let condition: ConditionTrait = .enabled(if: applies, Comment(rawValue: reason))
    try await condition.prepare(for: test)
  }
}

extension Trait where Self == Applicability {
  /// A scenario about what only one backend has.
  static func onlyFor(_ backend: Backend, _ reason: String) -> Self {
    Applicability(applies: Backend.underTest == backend, reason: reason)
  }

  /// A scenario that this machine cannot show, or that has nothing to show here.
  static func onlyWhere(_ condition: Bool, else reason: String) -> Self {
    Applicability(applies: condition, reason: reason)
  }
}

/// The scenarios that this run leaves out. Says how many and which when the process ends.
private enum LeftOut {
  private static let scenarios = Mutex<[(name: String, reason: String)]>([])

  static func add(_ name: String, _ reason: String) {
    scenarios.withLock {
      if $0.isEmpty { atexit { LeftOut.tell() } }
      $0.append((name, reason))
    }
  }

  private static func tell() {
    let left = scenarios.withLock { $0 }
    print("\(left.count) scenarios do not apply to the \(Backend.underTest) backend on this machine:")
    for (name, reason) in left.sorted(by: { $0.name < $1.name }) { print("not applicable: \(name) (\(reason))") }
    fflush(nil)
  }
}
