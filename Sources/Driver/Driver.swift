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
    do {
      for backend in registry.all { try await backend.prepare() }
      if configuration.mode.servesNode {
        try await thaw()
        await IOLimiter(registry: registry, configuration: configuration).limitAll(logger)
      }
    } catch {
      readiness.fail("\(error)")
      throw error
    }
    readiness.declare()
  }

  /// A file system stays frozen when both the server and the process that guards its freezes are killed.
  private func thaw() async throws {
    let table = try MountTable.read()
    let candidates = table.entries.filter { FilesystemType(rawValue: $0.type) != nil && $0.source.hasPrefix("/dev/") }
    guard !candidates.isEmpty else { return }
    for case let backend as any ListableBackend & NodeBackend in registry.all {
      var last: NativeID?
      while true {
        let volumes = try await backend.volumes(after: last, limit: 1024)
        for volume in volumes {
          guard let source = try? await backend.connected(volume.id) else { continue }
          let places = try Presence(of: source).mounts.map(\.mountPoint)
          if !places.isEmpty { FreezeGuard.thawAll(places) }
        }
        last = volumes.last?.id
        if volumes.count < 1024 { break }
      }
    }
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
