import Synchronization

/// Counts and times RPCs: `csi_plugin_operations_seconds`, calls in flight, and calls that met a busy object.
///
/// A call costs two short critical sections and two dictionary look-ups; nothing is allocated once a method and code
/// were seen.
package final class CallMetrics: CallObserver, MetricSource {
  /// Upper bounds in seconds: those that the Kubernetes sidecars use, and finer ones below, where a driver that needs
  /// no remote service spends its time.
  package static let bounds: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600,
  ]

  private struct Key: Hashable {
    var method: String
    var code: String
  }

  private struct Histogram {
    /// One more than bounds: the last counts what is above all of them.
    var counts = [UInt64](repeating: 0, count: CallMetrics.bounds.count + 1)
    var sum = 0.0
    var total: UInt64 { counts.reduce(0, +) }
  }

  private struct State {
    var inFlight: [String: Int] = [:]
    var finished: [Key: Histogram] = [:]
  }

  private let driverName: String
  private let state = Mutex(State())

  package init(driverName: String) { self.driverName = driverName }

  package func callBegan(_ method: String) {
    state.withLock { $0.inFlight[method, default: 0] += 1 }
  }

  package func callEnded(_ method: String, code: String, seconds: Double) {
    let slot = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
    state.withLock { state in
      state.inFlight[method, default: 1] -= 1
      let key = Key(method: method, code: code)
      state.finished[key, default: Histogram()].counts[slot] += 1
      state.finished[key, default: Histogram()].sum += seconds
    }
  }

  package func metrics() async -> [MetricFamily] {
    let (inFlight, finished) = state.withLock { ($0.inFlight, $0.finished) }
    let driver = MetricFamily.Label("driver_name", driverName)
    let calls = finished.sorted { ($0.key.method, $0.key.code) < ($1.key.method, $1.key.code) }
    let methods = inFlight.sorted { $0.key < $1.key }
    var aborted: [String: UInt64] = [:]
    for (key, histogram) in calls { aborted[key.method, default: 0] += key.code == "ABORTED" ? histogram.total : 0 }
    return [
      MetricFamily(
        "csi_plugin_operations_seconds", .histogram, help: "Time that RPCs took, by their gRPC status.",
        samples: calls.flatMap { key, histogram in
          Self.samples(
            of: histogram, labels: [driver, .init("method_name", key.method), .init("grpc_status_code", key.code)])
        }),
      MetricFamily(
        "csi_plugin_operations_in_flight", .gauge, help: "RPCs that are being served.",
        samples: methods.map { .init(Double($0.value), labels: [driver, .init("method_name", $0.key)]) }),
      MetricFamily(
        "csi_plugin_operations_aborted_total", .counter, help: "RPCs that met another operation on the same object.",
        samples: aborted.sorted { $0.key < $1.key }.map {
          .init(Double($0.value), labels: [driver, .init("method_name", $0.key)])
        }),
    ]
  }

  private static func samples(of histogram: Histogram, labels: [MetricFamily.Label]) -> [MetricFamily.Sample] {
    var sum: UInt64 = 0
    var samples: [MetricFamily.Sample] = []
    for (bound, count) in zip(bounds + [.infinity], histogram.counts) {
      sum += count
      samples.append(
        .init(Double(sum), labels: labels + [.init("le", PrometheusText.number(bound))], suffix: "_bucket"))
    }
    samples.append(.init(histogram.sum, labels: labels, suffix: "_sum"))
    samples.append(.init(Double(sum), labels: labels, suffix: "_count"))
    return samples
  }
}
