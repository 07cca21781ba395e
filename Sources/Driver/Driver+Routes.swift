import CSI
import GRPC
import Storage

extension Driver {
  func identityRoutes(_ calls: CallChain) -> [Route] {
    let service = IdentityService(registry: registry, configuration: configuration, readiness: readiness)
    return [
      calls.unary(Methods.getPluginInfo, .query, service.getPluginInfo),
      calls.unary(Methods.getPluginCapabilities, .query, service.getPluginCapabilities),
      calls.unary(Methods.probe, .query, service.probe),
    ]
  }

  func controllerRoutes(_ calls: CallChain) -> [Route] {
    let service = ControllerService(registry: registry, gate: gate, configuration: configuration)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.unary(Methods.createVolume, subject: \.name, service.createVolume),
      calls.unary(Methods.deleteVolume, subject: \.volumeID, service.deleteVolume),
      calls.unary(Methods.controllerPublishVolume, subject: \.volumeID, service.controllerPublishVolume),
      calls.unary(Methods.controllerUnpublishVolume, subject: \.volumeID, service.controllerUnpublishVolume),
      calls.unary(Methods.validateVolumeCapabilities, subject: \.volumeID, service.validateVolumeCapabilities),
      calls.unary(Methods.listVolumes, service.listVolumes),
      calls.unary(Methods.controllerListVolumeHealth, service.controllerListVolumeHealth),
      calls.unary(Methods.controllerGetVolumeHealth, subject: \.volumeID, service.controllerGetVolumeHealth),
      calls.unary(Methods.getCapacity, service.getCapacity),
      calls.unary(Methods.controllerGetCapabilities, .query, service.controllerGetCapabilities),
      calls.unary(Methods.createSnapshot, subject: \.sourceVolumeID, service.createSnapshot),
      calls.unary(Methods.deleteSnapshot, subject: \.snapshotID, service.deleteSnapshot),
      calls.unary(Methods.listSnapshots, subject: \.sourceVolumeID, service.listSnapshots),
      calls.unary(Methods.getSnapshot, subject: \.snapshotID, service.getSnapshot),
      calls.unary(Methods.controllerExpandVolume, subject: \.volumeID, service.controllerExpandVolume),
      calls.unary(Methods.controllerGetVolume, subject: \.volumeID, service.controllerGetVolume),
      calls.unary(Methods.controllerModifyVolume, subject: \.volumeID, service.controllerModifyVolume),
    ]
  }

  func groupControllerRoutes(_ calls: CallChain) -> [Route] {
    let service = GroupControllerService(registry: registry, gate: gate)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.unary(Methods.groupControllerGetCapabilities, .query, service.groupControllerGetCapabilities),
      calls.unary(Methods.createVolumeGroupSnapshot, subject: \.name, service.createVolumeGroupSnapshot),
      calls.unary(Methods.deleteVolumeGroupSnapshot, subject: \.groupSnapshotID, service.deleteVolumeGroupSnapshot),
      calls.unary(Methods.getVolumeGroupSnapshot, subject: \.groupSnapshotID, service.getVolumeGroupSnapshot),
    ]
  }

  func snapshotMetadataRoutes(_ calls: CallChain) -> [Route] {
    let service = SnapshotMetadataService(registry: registry, gate: gate)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.stream(Methods.getMetadataAllocated, subject: \.snapshotID, service.getMetadataAllocated),
      calls.stream(Methods.getMetadataDelta, subject: \.targetSnapshotID, service.getMetadataDelta),
    ]
  }

  func nodeRoutes(_ calls: CallChain) -> [Route] {
    let service = NodeService(registry: registry, gate: gate, configuration: configuration)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesNode)
    return [
      calls.unary(Methods.nodeStageVolume, subject: \.volumeID, service.nodeStageVolume),
      calls.unary(Methods.nodeUnstageVolume, subject: \.volumeID, service.nodeUnstageVolume),
      calls.unary(Methods.nodePublishVolume, subject: \.volumeID, service.nodePublishVolume),
      calls.unary(Methods.nodeUnpublishVolume, subject: \.volumeID, service.nodeUnpublishVolume),
      calls.unary(Methods.nodeGetVolumeStats, subject: \.volumeID, service.nodeGetVolumeStats),
      calls.unary(Methods.nodeGetVolumeHealth, subject: \.volumeID, service.nodeGetVolumeHealth),
      calls.unary(Methods.nodeGetStorageHealth, service.nodeGetStorageHealth),
      calls.unary(Methods.nodeExpandVolume, subject: \.volumeID, service.nodeExpandVolume),
      calls.unary(Methods.nodeGetCapabilities, .query, service.nodeGetCapabilities),
      calls.unary(Methods.nodeGetInfo, .query, service.nodeGetInfo),
    ]
  }
}

/// Turns the calls of a service that this mode does not serve into UNIMPLEMENTED.
private struct ModeChain: Sendable {
  let calls: CallChain
  let isServed: Bool

  func unary<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, _ kind: CallChain.Kind = .work, subject: @escaping @Sendable (Q) -> String = { _ in "" },
    _ handler: @escaping @Sendable (Q) async throws -> R
  ) -> Route {
    guard isServed else { return calls.unary(method, .query) { _ in throw refusal(method.service) } }
    return calls.unary(method, kind, subject: subject, handler)
  }

  func stream<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, subject: @escaping @Sendable (Q) -> String,
    _ handler: @escaping @Sendable (Q, ResponseWriter<R>) async throws -> Void
  ) -> Route {
    guard isServed else { return calls.stream(method, subject: subject) { _, _ in throw refusal(method.service) } }
    return calls.stream(method, subject: subject, handler)
  }

  private func refusal(_ service: String) -> StorageError {
    .unsupported("the \(service) service is not served in this mode")
  }
}
