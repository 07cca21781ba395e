import GRPC
import Host
import Logging
import Storage
import Telemetry

/// The CSI driver: all services over a set of backends, as routes for a gRPC server.
package final class Driver: Sendable {
  package let configuration: DriverConfiguration
  let registry: BackendRegistry
  let gate = OperationGate()
  let readiness = Readiness()
  private let logger: Logger

  /// - Throws: `StorageError.invalid` for a configuration that the CO would refuse.
  package init(
    _ configuration: DriverConfiguration, backends: [any StorageBackend & NodeBackend],
    logger: Logger = Logger(label: "driver")
  ) throws {
    try configuration.validate()
    self.configuration = configuration
    self.logger = logger
    registry = try BackendRegistry(backends)
  }

  /// Prepares the backends and thaws what an earlier life left frozen; until it returns Probe answers ready=false and
  /// calls that need a backend answer UNAVAILABLE.
  /// - Throws: what a backend that cannot serve says. Probe answers FAILED_PRECONDITION then, until a further call of
  ///   this succeeds.
  package func start() async throws {
    var failure: (any Error)?
    for backend in registry.all {
      do { try await prepare(backend) } catch { failure = failure ?? error }
    }
    if let failure {
      readiness.fail("\(failure)")
      throw failure
    }
    readiness.declare()
  }

  /// A backend that cannot be prepared keeps nobody frozen who uses another.
  private func prepare(_ backend: any Backend) async throws {
    try await backend.prepare()
    guard configuration.mode.servesNode else { return }
    let limiter = IOLimiter(registry: registry, configuration: configuration)
    try await registry.forEachVolume(livingWith: backend) { id in
      await thaw(id)
      await limiter.restore(id, logger)
    }
  }

  /// A file system stays frozen when both the server and the process that guards its freezes are killed.
  private func thaw(_ id: QualifiedID) async {
    guard let source = try? await registry.source(of: id), let presence = try? Presence(of: source) else { return }
    FreezeGuard.thawAll(presence.mounts.map(\.mountPoint))
  }

  /// How many keys of volumes, snapshots and paths are locked now; for tests and diagnosis.
  package var lockedKeys: Int { gate.heldKeys }

  /// One route for every method of the protocol; services that this mode does not serve answer UNIMPLEMENTED.
  package func routes(observer: (any CallObserver)? = nil) -> [Route] {
    let calls = CallChain(logger: logger, observer: observer, readiness: readiness)
    return identityRoutes(calls) + controllerRoutes(calls) + groupControllerRoutes(calls)
      + snapshotMetadataRoutes(calls) + nodeRoutes(calls)
  }
}
