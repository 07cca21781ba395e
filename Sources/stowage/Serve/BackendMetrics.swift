import Host
import Storage
import Synchronization
import Telemetry

/// What the backends hold, asked when somebody looks.
final class BackendMetrics: Sendable {
  private let backends: [Service.Backend]
  private let pool: ThreadPool
  /// Counting walks all volumes: once a minute is often enough.
  private let counts = Mutex<(asked: ContinuousClock.Instant, volumes: Samples, snapshots: Samples)?>(nil)

  private typealias Samples = [MetricFamily.Sample]

  init(backends: [Service.Backend], pool: ThreadPool) {
    self.backends = backends
    self.pool = pool
  }

  func add(to registry: MetricsRegistry) {
    registry.add("stowage_volumes", .gauge, help: "Volumes of a backend, counted at most once a minute.") {
      await self.count().volumes
    }
    registry.add("stowage_snapshots", .gauge, help: "Snapshots of a backend, counted at most once a minute.") {
      await self.count().snapshots
    }
    registry.add("stowage_capacity_bytes", .gauge, help: "Space for new volumes in bytes.") {
      await self.onPool { backend in try await backend.capacity(CapacityQuery()).available.bytes }
    }
    registry.add(
      "stowage_backend_commands_total", .counter, help: "Commands given to a storage system, such as LVM's."
    ) {
      self.backends.compactMap { backend in
        (backend as? any CommandCountingBackend).map {
          .init(Double($0.commands), labels: [.init("backend", backend.name.rawValue)])
        }
      }
    }
    addPools(to: registry)
  }

  /// Pools that many volumes share.
  private func addPools(to registry: MetricsRegistry) {
    registry.add("stowage_pool_data_bytes", .gauge, help: "Space of a pool for volumes in bytes, used and in total.") {
      await self.pools { ($0.usedData, $0.totalData) }
    }
    registry.add("stowage_pool_metadata_bytes", .gauge, help: "Space of a pool for metadata in bytes.") {
      await self.pools { ($0.usedMetadata, $0.totalMetadata) }
    }
  }

  private func pools(_ sizes: @escaping @Sendable (PoolUsage) -> (used: ByteCount, total: ByteCount)) async -> Samples {
    await withTaskExecutorPreference(pool) {
      var samples: Samples = []
      for case let backend as any PoolReportingBackend in backends {
        for pool in (try? await backend.pools()) ?? [] {
          let (used, total) = sizes(pool)
          for (kind, size) in [("used", used), ("total", total)] {
            samples.append(
              .init(
                Double(size.bytes),
                labels: [
                  .init("backend", backend.name.rawValue), .init("pool", pool.name), .init("kind", kind),
                ]))
          }
        }
      }
      return samples
    }
  }

  private func count() async -> (volumes: Samples, snapshots: Samples) {
    if let known = counts.withLock({ $0 }), known.asked.duration(to: .now) < .seconds(60) {
      return (known.volumes, known.snapshots)
    }
    let volumes = await onPool { backend in
      guard let backend = backend as? any ListableBackend else { return nil }
      return try await Self.total { try await backend.volumes(after: $0, limit: $1).map(\.id) }
    }
    let snapshots = await onPool { backend in
      guard let backend = backend as? any SnapshottingBackend else { return nil }
      return try await Self.total { try await backend.snapshots(source: nil, after: $0, limit: $1).map(\.id) }
    }
    // An answer of a backend that is not ready yet is not kept.
    if !volumes.isEmpty { counts.withLock { $0 = (.now, volumes, snapshots) } }
    return (volumes, snapshots)
  }

  private static func total(_ page: (NativeID?, Int) async throws -> [NativeID]) async throws -> Int64 {
    var count: Int64 = 0
    var last: NativeID?
    while true {
      let ids = try await page(last, 1000)
      count += Int64(ids.count)
      guard ids.count == 1000 else { return count }
      last = ids.last
    }
  }

  /// One sample a backend; none for a backend that fails or has no such number.
  private func onPool(_ value: @escaping @Sendable (Service.Backend) async throws -> Int64?) async -> Samples {
    await withTaskExecutorPreference(pool) {
      var samples: Samples = []
      for backend in backends {
        guard let number = try? await value(backend) else { continue }
        samples.append(.init(Double(number), labels: [.init("backend", backend.name.rawValue)]))
      }
      return samples
    }
  }
}
