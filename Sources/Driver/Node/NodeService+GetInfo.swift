import CSI
import Storage

extension NodeService {
  /// NodeGetInfo.
  func nodeGetInfo(_ request: NodeGetInfoRequest) async throws -> NodeGetInfoResponse {
    var response = NodeGetInfoResponse()
    response.nodeID = configuration.nodeID.rawValue
    response.maxVolumesPerNode = configuration.maxVolumesPerNode
    let segments = registry.all.flatMap(\.topologies).reduce(into: [String: String]()) {
      $0.merge($1.segments) { first, _ in first }
    }
    response.accessibleTopology = segments.isEmpty ? nil : Topology(segments).wire
    return response
  }

  /// NodeGetCapabilities.
  func nodeGetCapabilities(_ request: NodeGetCapabilitiesRequest) async throws -> NodeGetCapabilitiesResponse {
    var response = NodeGetCapabilitiesResponse()
    response.capabilities = abilities.map { ability in
      var rpc = NodeServiceCapability.RPC()
      rpc.type = ability
      var capability = NodeServiceCapability()
      capability.type = .rpc(rpc)
      return capability
    }
    return response
  }

  typealias Ability = NodeServiceCapability.RPC.Kind

  var abilities: [Ability] {
    var abilities: [Ability] = [.stageUnstageVolume, .getVolumeStats, .volumeMountGroup]
    if registry.conform(to: (any ExpandableBackend).self) { abilities.append(.expandVolume) }
    if registry.honours(.singleNodeMultiWriter) { abilities.append(.singleNodeMultiWriter) }
    if registry.conform(to: (any HealthReportingBackend).self) {
      abilities.append(.volumeCondition)
      if configuration.advertises113 { abilities.append(.getVolumeHealth) }
    }
    if configuration.advertises113 { abilities.append(.getStorageHealth) }
    return abilities
  }
}
