import Configuration
import Driver
import FileBackend
import GRPC
import Host
import Logging
import Storage
import Synchronization
import Telemetry

/// Everything that `stowage serve` runs: backends, driver, socket and operator's endpoint. The only place that knows
/// all kinds of backends.
final class Service: Sendable {
  typealias Backend = any StorageBackend & NodeBackend

  private let settings: Configuration
  private let endpoint: Endpoint
  private let backends: [Backend]
  private let driver: Driver
  private let server: Server
  private let pool: ThreadPool
  private let logger: Logger
  private let metrics = MetricsRegistry()
  private let state = Mutex(State())

  private struct State {
    var preparation: Task<Void, Never>?
    var http: HTTPServer?
    /// Why the backends are not ready, or nil when they are.
    var obstacle: String? = "starting"
  }

  /// - Throws: `ConfigurationError` for settings that make no driver.
  init(_ settings: Configuration, logger: Logger) throws {
    self.settings = settings
    self.logger = logger
    endpoint = try Self.endpoint(settings)
    let node = NodeID(try settings.nodeID ?? Self.hostName())
    let calls = CallMetrics(driverName: settings.driverName)
    do {
      backends = try settings.backends.map { try Self.backend($0, settings, node) }
      driver = try Driver(
        DriverConfiguration(
          driverName: settings.driverName, version: Version.current, nodeID: node,
          mode: DriverMode(rawValue: settings.mode.rawValue) ?? .all,
          maxVolumesPerNode: Int64(settings.maxVolumesPerNode), allowedPathPrefixes: settings.allowedPaths,
          advertises113: settings.advertise113, ephemeralLimit: settings.ephemeralLimit,
          expansion: ExpansionPlace(rawValue: settings.expansion.rawValue) ?? .controller,
          cgroupRoot: settings.cgroupRoot),
        backends: backends, logger: Logger(label: "driver"))
    } catch let error as StorageError {
      throw ConfigurationError("\(error)")
    }
    pool = ThreadPool(name: "stowage-work", threads: settings.threads)
    var options = ServerOptions()
    options.socketMode = settings.socketMode
    server = Server(routes: driver.routes(observer: calls), pool: pool, options: options)
    metrics.add(calls)
    BackendMetrics(backends: backends, pool: pool).add(to: metrics)
    if let references = settings.references {
      OrphanMetrics(
        backends: backends, pool: pool, driver: settings.driverName, references: references, logger: logger
      ).add(to: metrics)
    }
    addProcessMetrics()
  }

  /// Listens, and prepares the backends behind that: Probe answers from the first moment on.
  /// - Throws: when the socket or the HTTP address cannot be had.
  func start() throws {
    if let address = settings.httpEndpoint {
      let http = try HTTPServer(address: address) { [weak self] request in
        await self?.answer(request) ?? HTTPResponse(503, "ending\n")
      }
      state.withLock { $0.http = http }
    }
    try server.start(on: endpoint)
    logger.notice(
      "serving",
      metadata: [
        "driver_name": "\(settings.driverName)", "version": "\(Version.current)", "mode": "\(settings.mode.rawValue)",
        "node_id": "\(driver.configuration.nodeID)", "endpoint": "\(endpoint)",
        "http_endpoint": "\(settings.httpEndpoint ?? "none")",
        "backends": .array(backends.map { "\($0.name)" }),
      ])
    let preparation = Task(executorPreference: pool) { await self.prepare() }
    state.withLock { $0.preparation = preparation }
  }

  /// Ends calls within `grace` and lets go of the sockets; then waits, at most as long again, for what calls have left
  /// behind them. A second call with a shorter grace hastens the calls.
  func stop(grace: Duration) async {
    state.withLock { $0.preparation?.cancel() }
    await server.shutdown(grace: grace)
    for case let backend as any EndingBackend in backends { await backend.end(within: grace) }
    state.withLock { $0.http?.stop() }
  }

  /// Until it succeeds: a directory may still be locked by the process that this one replaces, or not be mounted yet.
  private func prepare() async {
    let began = ContinuousClock.now
    while !Task.isCancelled {
      do {
        try await driver.start()
        state.withLock { $0.obstacle = nil }
        logger.notice("ready", metadata: ["duration_ms": "\((ContinuousClock.now - began) / .milliseconds(1))"])
        return
      } catch {
        let isNew = state.withLock { state in
          defer { state.obstacle = "\(error)" }
          return state.obstacle != "\(error)"
        }
        if isNew { logger.error("cannot prepare the backends", metadata: ["error": "\(error)"]) }
      }
      try? await Task.sleep(for: .seconds(2))
    }
  }

  // MARK: the operator's endpoint

  private func answer(_ request: HTTPRequest) async -> HTTPResponse {
    switch request.path {
    case "/metrics": HTTPResponse(200, await metrics.render(), contentType: PrometheusText.contentType)
    case "/healthz": await health()
    default: HTTPResponse(404, "try /metrics or /healthz\n")
    }
  }

  /// What Probe says, as an HTTP status.
  private func health() async -> HTTPResponse {
    if let obstacle = state.withLock({ $0.obstacle }) { return HTTPResponse(503, "not ready: \(obstacle)\n") }
    return await withTaskExecutorPreference(pool) {
      do {
        for backend in backends { try await backend.checkReadiness() }
        return HTTPResponse(200, "ok\n")
      } catch {
        return HTTPResponse(503, "not healthy: \(error)\n")
      }
    }
  }

  private func addProcessMetrics() {
    metrics.add("stowage_build_info", .gauge, help: "The version that runs; always 1.") {
      [.init(1, labels: [.init("version", Version.current)])]
    }
    metrics.add("stowage_programs_started_total", .counter, help: "External programs started, such as mkfs and fsck.") {
      [.init(Double(HostCounters.programs))]
    }
    metrics.add(ProcessMetrics())
  }
}
