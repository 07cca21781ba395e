import CSI
import GRPC
import Storage
import Synchronization

/// The Identity service (CSI spec, Identity Service RPC): always served, the same in every mode.
struct IdentityService: Sendable {
  let registry: BackendRegistry
  let configuration: DriverConfiguration
  let readiness: Readiness

  func getPluginInfo(_ request: GetPluginInfoRequest) async throws -> GetPluginInfoResponse {
    var response = GetPluginInfoResponse()
    response.name = configuration.driverName
    response.vendorVersion = configuration.version
    return response
  }

  /// Told by every instance alike, whatever services it runs: node-only instances name the controller as well.
  func getPluginCapabilities(_ request: GetPluginCapabilitiesRequest) async throws -> GetPluginCapabilitiesResponse {
    var services: [PluginCapability.Service.Kind] = [.controllerService]
    if registry.all.contains(where: { !$0.topologies.isEmpty }) { services.append(.volumeAccessibilityConstraints) }
    if registry.conform(to: (any GroupSnapshottingBackend).self) { services.append(.groupControllerService) }
    if registry.conform(to: (any ChangedBlockBackend).self) { services.append(.snapshotMetadataService) }
    var response = GetPluginCapabilitiesResponse()
    response.capabilities = services.map {
      var service = PluginCapability.Service()
      service.type = $0
      var capability = PluginCapability()
      capability.type = .service(service)
      return capability
    }
    if registry.conform(to: (any ExpandableBackend).self) {
      var expansion = PluginCapability.VolumeExpansion()
      expansion.type = .online
      var capability = PluginCapability()
      capability.type = .volumeExpansion(expansion)
      response.capabilities.append(capability)
    }
    return response
  }

  /// Cheap: sidecars ask every second, the liveness probe kills what answers slowly or not ready.
  /// - Throws: FAILED_PRECONDITION where a restart may help.
  func probe(_ request: ProbeRequest) async throws -> ProbeResponse {
    var response = ProbeResponse()
    guard readiness.isReady else {
      if let obstacle = readiness.obstacle { throw Status(.failedPrecondition, "cannot prepare: \(obstacle)") }
      response.ready = false
      return response
    }
    do {
      for backend in registry.all { try await backend.checkReadiness() }
    } catch {
      throw Status(.failedPrecondition, "not healthy: \(error)")
    }
    response.ready = true
    return response
  }
}

/// Whether the backends are prepared, and if not, what stands in the way.
final class Readiness: Sendable {
  private let ready = Atomic<Bool>(false)
  private let problem = Mutex<String?>(nil)

  var isReady: Bool { ready.load(ordering: .acquiring) }
  /// Why the last attempt to prepare failed, or nil when none has.
  var obstacle: String? { problem.withLock { $0 } }

  func declare() { ready.store(true, ordering: .releasing) }
  func fail(_ reason: String) { problem.withLock { $0 = reason } }
}
