import CSI
import GRPC
import Storage

extension Driver {
  func identityRoutes(_ calls: CallChain) -> [Route] {
    let service = IdentityService(registry: registry, configuration: configuration, readiness: readiness)
    return [
      calls.unary(Methods.getPluginInfo, .query, to: service.getPluginInfo),
      calls.unary(Methods.getPluginCapabilities, .query, to: service.getPluginCapabilities),
      calls.unary(Methods.probe, .query, to: service.probe),
    ]
  }

  func controllerRoutes(_ calls: CallChain) -> [Route] {
    let service = ControllerService(registry: registry, gate: gate, configuration: configuration)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.unary(Methods.createVolume, subject: \.name, to: service.createVolume),
      calls.unary(Methods.deleteVolume, subject: \.volumeID, to: service.deleteVolume),
      calls.unary(Methods.controllerPublishVolume, subject: \.volumeID, to: service.controllerPublishVolume),
      calls.unary(Methods.controllerUnpublishVolume, subject: \.volumeID, to: service.controllerUnpublishVolume),
      calls.unary(Methods.validateVolumeCapabilities, subject: \.volumeID, to: service.validateVolumeCapabilities),
      calls.unary(Methods.listVolumes, to: service.listVolumes),
      calls.unary(Methods.controllerListVolumeHealth, to: service.controllerListVolumeHealth),
      calls.unary(Methods.controllerGetVolumeHealth, subject: \.volumeID, to: service.controllerGetVolumeHealth),
      calls.unary(Methods.getCapacity, to: service.getCapacity),
      calls.unary(Methods.controllerGetCapabilities, .query, to: service.controllerGetCapabilities),
      calls.unary(Methods.createSnapshot, subject: \.sourceVolumeID, to: service.createSnapshot),
      calls.unary(Methods.deleteSnapshot, subject: \.snapshotID, to: service.deleteSnapshot),
      calls.unary(Methods.listSnapshots, subject: \.sourceVolumeID, to: service.listSnapshots),
      calls.unary(Methods.getSnapshot, subject: \.snapshotID, to: service.getSnapshot),
      calls.unary(Methods.controllerExpandVolume, subject: \.volumeID, to: service.controllerExpandVolume),
      calls.unary(Methods.controllerGetVolume, subject: \.volumeID, to: service.controllerGetVolume),
      calls.unary(Methods.controllerModifyVolume, subject: \.volumeID, to: service.controllerModifyVolume),
    ]
  }

  func groupControllerRoutes(_ calls: CallChain) -> [Route] {
    let service = GroupControllerService(registry: registry, gate: gate)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.unary(Methods.groupControllerGetCapabilities, .query, to: service.groupControllerGetCapabilities),
      calls.unary(Methods.createVolumeGroupSnapshot, subject: \.name, to: service.createVolumeGroupSnapshot),
      calls.unary(Methods.deleteVolumeGroupSnapshot, subject: \.groupSnapshotID, to: service.deleteVolumeGroupSnapshot),
      calls.unary(Methods.getVolumeGroupSnapshot, subject: \.groupSnapshotID, to: service.getVolumeGroupSnapshot),
    ]
  }

  func snapshotMetadataRoutes(_ calls: CallChain) -> [Route] {
    let service = SnapshotMetadataService(registry: registry, gate: gate)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesController)
    return [
      calls.stream(Methods.getMetadataAllocated, subject: \.snapshotID, to: service.getMetadataAllocated),
      calls.stream(Methods.getMetadataDelta, subject: \.targetSnapshotID, to: service.getMetadataDelta),
    ]
  }

  func nodeRoutes(_ calls: CallChain) -> [Route] {
    let service = NodeService(registry: registry, gate: gate, configuration: configuration)
    let calls = ModeChain(calls: calls, isServed: configuration.mode.servesNode)
    return [
      calls.unary(Methods.nodeStageVolume, subject: \.volumeID, to: service.nodeStageVolume),
      calls.unary(Methods.nodeUnstageVolume, subject: \.volumeID, to: service.nodeUnstageVolume),
      calls.unary(Methods.nodePublishVolume, subject: \.volumeID, to: service.nodePublishVolume),
      calls.unary(Methods.nodeUnpublishVolume, subject: \.volumeID, to: service.nodeUnpublishVolume),
      calls.unary(Methods.nodeGetVolumeStats, subject: \.volumeID, to: service.nodeGetVolumeStats),
      calls.unary(Methods.nodeGetVolumeHealth, subject: \.volumeID, to: service.nodeGetVolumeHealth),
      calls.unary(Methods.nodeGetStorageHealth, to: service.nodeGetStorageHealth),
      calls.unary(Methods.nodeExpandVolume, subject: \.volumeID, to: service.nodeExpandVolume),
      calls.unary(Methods.nodeGetCapabilities, .query, to: service.nodeGetCapabilities),
      calls.unary(Methods.nodeGetInfo, .query, to: service.nodeGetInfo),
    ]
  }
}

/// Turns the calls of a service that this mode does not serve into UNIMPLEMENTED.
private struct ModeChain: Sendable {
  let calls: CallChain
  let isServed: Bool

  func unary<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, _ kind: CallChain.Kind = .work, subject: @escaping @Sendable (Q) -> String = { _ in "" },
    to handler: @escaping @Sendable (Q) async throws -> R
  ) -> Route {
    guard isServed else { return calls.unary(method, .query) { _ in throw refusal(method.service) } }
    return calls.unary(method, kind, subject: subject, to: handler)
  }

  func stream<Q: CSIMessage, R: CSIMessage>(
    _ method: Method<Q, R>, subject: @escaping @Sendable (Q) -> String,
    to handler: @escaping @Sendable (Q, ResponseWriter<R>) async throws -> Void
  ) -> Route {
    guard isServed else { return calls.stream(method, subject: subject) { _, _ in throw refusal(method.service) } }
    return calls.stream(method, subject: subject, to: handler)
  }

  private func refusal(_ service: String) -> StorageError {
    .unsupported("the \(service) service is not served in this mode")
  }
}
