import CSI
import Storage

extension ControllerService {
  typealias Ability = ControllerServiceCapability.RPC.Kind

  /// ControllerGetCapabilities: what the backends conform to.
  func controllerGetCapabilities(
    _ request: ControllerGetCapabilitiesRequest
  ) async throws -> ControllerGetCapabilitiesResponse {
    var response = ControllerGetCapabilitiesResponse()
    response.capabilities = abilities.map { ability in
      var rpc = ControllerServiceCapability.RPC()
      rpc.type = ability
      var capability = ControllerServiceCapability()
      capability.type = .rpc(rpc)
      return capability
    }
    return response
  }

  var abilities: [Ability] {
    var abilities: [Ability] = [.createDeleteVolume, .getCapacity, .getVolume]
    let isListable = registry.all.allSatisfy { $0 is any ListableBackend }
    let isAttachable = registry.conform(to: (any AttachableBackend).self)
    if isListable { abilities.append(.listVolumes) }
    if isAttachable { abilities += [.publishUnpublishVolume, .publishReadonly] }
    if isListable && isAttachable { abilities.append(.listVolumesPublishedNodes) }
    if registry.conform(to: (any SnapshottingBackend).self) {
      abilities += [.createDeleteSnapshot, .listSnapshots, .getSnapshot]
    }
    if registry.conform(to: (any CloningBackend).self) { abilities.append(.cloneVolume) }
    if configuration.expansion == .controller, registry.conform(to: (any ExpandableBackend).self) {
      abilities.append(.expandVolume)
    }
    if registry.conform(to: (any ModifiableBackend).self) { abilities.append(.modifyVolume) }
    if registry.honours(.singleNodeMultiWriter) { abilities.append(.singleNodeMultiWriter) }
    if registry.conform(to: (any HealthReportingBackend).self) {
      abilities.append(.volumeCondition)
      if configuration.advertises113 { abilities.append(.getVolumeHealth) }
      if configuration.advertises113 && isListable { abilities.append(.listVolumeHealth) }
    }
    return abilities
  }
}

extension BackendRegistry {
  func honours(_ mode: AccessMode) -> Bool {
    all.contains { $0.accessModes(for: .mount).contains(mode) || $0.accessModes(for: .block).contains(mode) }
  }
}
