import CSIClient
import Host
import Logging
import Storage
import Synchronization
import Telemetry

/// How much of what the backends hold the cluster does not refer to, by the rules of `stowage gc`.
final class OrphanMetrics: Sendable {
  private let backends: [Service.Backend]
  private let pool: ThreadPool
  private let driver: String
  private let path: String
  private let logger: Logger
  /// Counting walks all volumes: once a minute is often enough.
  private let last = Mutex<(asked: ContinuousClock.Instant, samples: [MetricFamily.Sample])?>(nil)

  /// - Parameter path: references, as `stowage gc --references` reads them; read anew for every count.
  init(backends: [Service.Backend], pool: ThreadPool, driver: String, references path: String, logger: Logger) {
    self.backends = backends
    self.pool = pool
    self.driver = driver
    self.path = path
    self.logger = logger
  }

  func add(to registry: MetricsRegistry) {
    registry.add(
      "stowage_orphans", .gauge,
      help: "Volumes and snapshots that the references do not name, counted at most once a minute."
    ) { await self.samples() }
  }

  private func samples() async -> [MetricFamily.Sample] {
    if let last = last.withLock({ $0 }), last.asked.duration(to: .now) < .seconds(60) { return last.samples }
    let samples = await withTaskExecutorPreference(pool) { await count() }
    last.withLock { $0 = (.now, samples) }
    return samples
  }

  /// No sample, rather than a wrong one, while the references cannot be read or say nothing about a kind.
  private func count() async -> [MetricFamily.Sample] {
    do {
      let references = try References(parsing: FileContents.read(path, limit: 1 << 30), driver: driver)
      let kinds = Orphans.kinds(coveredBy: references)
      var samples: [MetricFamily.Sample] = []
      for backend in backends {
        let held = try await held(by: backend)
        let orphans = Orphans.unreferenced(held, by: references, judging: kinds)
        for kind in HeldObject.Kind.allCases where kinds.contains(kind) {
          samples.append(
            .init(
              Double(orphans.count { $0.kind == kind }),
              labels: [.init("backend", backend.name.rawValue), .init("kind", kind.rawValue)]))
        }
      }
      return samples
    } catch {
      logger.warning("cannot count orphans", metadata: ["references": "\(path)", "error": "\(error)"])
      return []
    }
  }

  private func held(by backend: Service.Backend) async throws -> [HeldObject] {
    var held: [HeldObject] = []
    if let backend = backend as? any ListableBackend {
      let volumes = try await Self.all(\.id) { try await backend.volumes(after: $0, limit: 1000) }
      held += volumes.filter { !$0.isEphemeral && $0.publishedNodes.isEmpty }.map {
        HeldObject(.volume, text($0.id, backend))
      }
    }
    if let backend = backend as? any SnapshottingBackend {
      let snapshots = try await Self.all(\.id) { try await backend.snapshots(source: nil, after: $0, limit: 1000) }
      held += HeldObject.snapshots(
        snapshots.map { (text($0.id, backend), $0.group.map { text($0, backend) } ?? "") })
    }
    return held
  }

  /// The id as the cluster knows it: the first backend's carry no prefix.
  private func text(_ id: NativeID, _ backend: any StorageBackend) -> String {
    let first = (backends.first as (any StorageBackend)?)?.name ?? backend.name
    return QualifiedID(backend: backend.name, native: id, defaultBackend: first).description
  }

  private static func all<Item>(
    _ id: (Item) -> NativeID, _ page: (NativeID?) async throws -> [Item]
  ) async throws -> [Item] {
    var all: [Item] = []
    while true {
      let items = try await page(all.last.map(id))
      all += items
      guard items.count == 1000 else { return all }
    }
  }
}
