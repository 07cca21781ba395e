import CSI
import Testing

@Suite struct MethodTests {
  private static let calls = [
    "Identity": ["GetPluginInfo", "GetPluginCapabilities", "Probe"],
    "Controller": [
      "CreateVolume", "DeleteVolume", "ControllerPublishVolume", "ControllerUnpublishVolume",
      "ValidateVolumeCapabilities", "ListVolumes", "ControllerListVolumeHealth", "ControllerGetVolumeHealth",
      "GetCapacity", "ControllerGetCapabilities", "CreateSnapshot", "DeleteSnapshot", "ListSnapshots", "GetSnapshot",
      "ControllerExpandVolume", "ControllerGetVolume", "ControllerModifyVolume",
    ],
    "GroupController": [
      "GroupControllerGetCapabilities", "CreateVolumeGroupSnapshot", "DeleteVolumeGroupSnapshot",
      "GetVolumeGroupSnapshot",
    ],
    "SnapshotMetadata": ["GetMetadataAllocated", "GetMetadataDelta"],
    "Node": [
      "NodeStageVolume", "NodeUnstageVolume", "NodePublishVolume", "NodeUnpublishVolume", "NodeGetVolumeStats",
      "NodeExpandVolume", "NodeGetCapabilities", "NodeGetInfo", "NodeGetVolumeHealth", "NodeGetStorageHealth",
    ],
  ]

  @Test func `the table holds every call of the protocol with its path`() {
    let expected = Self.calls.flatMap { service, names in names.map { "/csi.v1.\(service)/\($0)" } }
    #expect(allMethods.count == 36)
    #expect(Set(allMethods.map(\.path)) == Set(expected))
    for method in allMethods { #expect(method.path == "/csi.v1.\(method.service)/\(method.name)") }
  }

  @Test func `each call takes its request and gives its response`() {
    for method in allMethods {
      #expect(method.request.messageName == method.name + "Request")
      #expect(method.response.messageName == method.name + "Response")
    }
  }

  @Test func `only the snapshot metadata calls stream`() {
    #expect(Set(allMethods.filter(\.isStreaming).map(\.name)) == Set(Self.calls["SnapshotMetadata"] ?? []))
    #expect(Methods.getMetadataDelta.isStreaming)
    #expect(!Methods.probe.isStreaming)
  }

  @Test func `what the protocol may still change is marked`() {
    let alpha: Set = [
      "GetSnapshot", "ControllerGetVolume", "GetMetadataAllocated", "GetMetadataDelta", "ControllerListVolumeHealth",
      "ControllerGetVolumeHealth", "NodeGetVolumeHealth", "NodeGetStorageHealth",
    ]
    #expect(Set(allMethods.filter(\.isAlpha).map(\.name)) == alpha)
  }

  @Test func `values on the wire are those of the protocol`() throws {
    let capability = VolumeCapability(
      accessType: .mount(.init(fsType: "xfs")), accessMode: .init(mode: .singleNodeMultiWriter))
    #expect(try capability.serialized() == [0x12, 5, 0x0A, 3] + Array("xfs".utf8) + [0x1A, 2, 8, 7])
    let capabilities = [
      ControllerServiceCapability(type: .rpc(.init(type: .volumeCondition))),
      ControllerServiceCapability(type: .rpc(.init(type: .listVolumeHealth))),
    ]
    #expect(try capabilities.map { try $0.serialized() } == [[0x0A, 2, 8, 11], [0x0A, 2, 8, 17]])
    let plugin = PluginCapability(type: .volumeExpansion(.init(type: .online)))
    #expect(try plugin.serialized() == [0x12, 2, 8, 1])
  }
}
