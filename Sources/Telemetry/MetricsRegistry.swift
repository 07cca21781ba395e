import Synchronization

/// All metrics of the process: sources that are asked with every scrape.
package final class MetricsRegistry: Sendable {
  private let sources = Mutex<[any MetricSource]>([])

  package init() {}

  package func add(_ source: any MetricSource) { sources.withLock { $0.append(source) } }

  /// Adds one family whose samples `collect` tells at every scrape; nothing appears while it gives none.
  package func add(
    _ name: String, _ kind: MetricFamily.Kind, help: String,
    _ collect: @escaping @Sendable () async -> [MetricFamily.Sample]
  ) {
    add(ClosureSource(name: name, kind: kind, help: help, collect: collect))
  }

  /// All metrics as Prometheus text, in the order that sources were added.
  package func render() async -> String {
    var families: [MetricFamily] = []
    for source in sources.withLock({ $0 }) { families += await source.metrics() }
    return PrometheusText.render(families)
  }
}

private struct ClosureSource: MetricSource {
  let name: String
  let kind: MetricFamily.Kind
  let help: String
  let collect: @Sendable () async -> [MetricFamily.Sample]

  func metrics() async -> [MetricFamily] {
    [MetricFamily(name, kind, help: help, samples: await collect())]
  }
}
