/// Durations of single operations and the time that all of them took together.
struct Samples: Sendable {
  private(set) var nanoseconds: [Int64] = []
  var elapsed: Duration = .zero

  mutating func add(_ duration: Duration) { nanoseconds.append(duration.nanoseconds) }

  mutating func add(_ other: Samples) { nanoseconds += other.nanoseconds }

  /// The sample below which a `fraction` of all lie, in microseconds; 0 without samples.
  private func quantile(_ fraction: Double, of sorted: [Int64]) -> Double {
    guard !sorted.isEmpty else { return 0 }
    let index = Int(Double(sorted.count - 1) * fraction)
    return Double(sorted[index]) / 1000
  }

  /// `"name": {"count", "rate" in 1/s, "p50" and "p99" in microseconds}`.
  func json(_ name: String) -> String {
    let sorted = nanoseconds.sorted()
    let seconds = Double(elapsed.nanoseconds) / 1e9
    let rate = seconds > 0 ? Double(sorted.count) / seconds : 0
    return "\"\(name)\": {\"count\": \(sorted.count), \"rate\": \(rate), "
      + "\"p50\": \(quantile(0.5, of: sorted)), \"p99\": \(quantile(0.99, of: sorted))}"
  }
}

extension Duration {
  var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

/// Prints one result.
func report(_ parts: String...) { print("{" + parts.joined(separator: ", ") + "}") }

/// How long a task repeats its operation.
enum Amount: Sendable {
  case seconds(Double)
  case times(Int)
}

/// Runs an operation over and over in `concurrency` tasks and returns a sample for each run.
/// - Parameter operation: gets the number of its task and the number of the run within the task.
func repeated(
  _ amount: Amount, concurrency: Int, _ operation: @escaping @Sendable (Int, Int) async throws -> Void
) async throws -> Samples {
  let clock = ContinuousClock()
  let begun = clock.now
  var all = try await withThrowingTaskGroup(of: Samples.self) { group in
    for task in 0..<concurrency {
      group.addTask { try await samples(amount, task, begun, operation) }
    }
    return try await group.reduce(into: Samples()) { $0.add($1) }
  }
  all.elapsed = clock.now - begun
  return all
}

private func samples(
  _ amount: Amount, _ task: Int, _ begun: ContinuousClock.Instant,
  _ operation: @Sendable (Int, Int) async throws -> Void
) async throws -> Samples {
  let clock = ContinuousClock()
  var samples = Samples()
  var run = 0
  var now = clock.now
  func goesOn() -> Bool {
    switch amount {
    case .times(let n): run < n
    case .seconds(let s): now - begun < .seconds(s)
    }
  }
  while goesOn() {
    try await operation(task, run)
    let after = clock.now
    samples.add(after - now)
    now = after
    run += 1
  }
  return samples
}
