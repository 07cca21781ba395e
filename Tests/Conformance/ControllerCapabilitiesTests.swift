import CSI
import GRPC
import Testing

extension Conformance {
  /// Which abilities are told, and that what is told and what is served are one.
  @Suite struct Capabilities {
    @Test func `the controller tells what the backend can do`() async throws {
      try await withServer { server in
        let told = try await server.controllerCapabilities()
        #expect(Set(told).count == told.count, "no capability is told twice")
        #expect(
          Set(told).isSuperset(of: [
            .createDeleteVolume, .listVolumes, .getCapacity, .createDeleteSnapshot, .listSnapshots, .cloneVolume,
            .expandVolume, .getVolume, .volumeCondition, .singleNodeMultiWriter, .getSnapshot, .modifyVolume,
          ]))
        #expect(!told.contains(.unknown))
        if told.contains(.listVolumesPublishedNodes) { #expect(told.contains(.publishUnpublishVolume)) }
        if told.contains(.publishReadonly) { #expect(told.contains(.publishUnpublishVolume)) }
      }
    }

    @Test func `only values that CSI 1-12 knows are told by default`() async throws {
      try await withServer { server in
        let controller = try await server.controllerCapabilities()
        #expect(controller.allSatisfy { (1...15).contains($0.rawValue) })
        let node = try await server.nodeCapabilities()
        #expect(node.allSatisfy { (1...6).contains($0.rawValue) })
        let plugin = try await server.pluginServices()
        #expect(plugin.allSatisfy { (1...4).contains($0.rawValue) })
      }
    }

    @Test func `what CSI 1-13 adds is told when the flag is on`() async throws {
      try await withServer(.configured("advertise113: true")) { server in
        let controller = try await server.controllerCapabilities()
        #expect(controller.contains(.getVolumeHealth))
        #expect(controller.contains(.listVolumeHealth))
        let node = try await server.nodeCapabilities()
        #expect(node.contains(.getVolumeHealth))
      }
    }

    @Test func `the node tells staging, statistics, expansion, condition, many writers and mount groups`() async throws
    {
      try await withServer { server in
        let told = try await server.nodeCapabilities()
        #expect(told.count == 6)
        #expect(
          Set(told) == [
            .stageUnstageVolume, .getVolumeStats, .expandVolume, .volumeCondition, .singleNodeMultiWriter,
            .volumeMountGroup,
          ])
      }
    }

    @Test func `the group controller tells group snapshots`() async throws {
      try await withServer { server in
        let answer = try await server.call(
          Methods.groupControllerGetCapabilities, GroupControllerGetCapabilitiesRequest())
        let told = answer.capabilities.compactMap { if case .rpc(let rpc)? = $0.type { rpc.type } else { nil } }
        #expect(told == [.createDeleteGetVolumeGroupSnapshot])
      }
    }
  }
}

extension Server {
  func controllerCapabilities() async throws -> [ControllerServiceCapability.RPC.Kind] {
    let answer = try await call(Methods.controllerGetCapabilities, ControllerGetCapabilitiesRequest())
    return answer.capabilities.compactMap { if case .rpc(let rpc)? = $0.type { rpc.type } else { nil } }
  }

  func nodeCapabilities() async throws -> [NodeServiceCapability.RPC.Kind] {
    let answer = try await call(Methods.nodeGetCapabilities, NodeGetCapabilitiesRequest())
    return answer.capabilities.compactMap { if case .rpc(let rpc)? = $0.type { rpc.type } else { nil } }
  }
}
