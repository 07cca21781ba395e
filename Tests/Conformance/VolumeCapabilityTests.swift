import CSI
import GRPC
import Testing

extension Conformance {
  /// What a volume capability may say, wherever it occurs.
  @Suite struct VolumeCapabilities {
    static let broken: [(String, VolumeCapability)] = [
      ("no access type", VolumeCapability(accessMode: .init(mode: .singleNodeWriter))),
      ("no access mode", VolumeCapability(accessType: .block(.init()))),
      ("the unknown mode", .mount("ext4", .unknown)),
      ("a mode of the future", .mount("ext4", .init(rawValue: 99))),
      ("an unknown file system", .mount("ntfs")),
      ("a file system that is a path", .mount("../../bin/sh")),
      ("a mount group that is no number", .mount("ext4", group: "root")),
      ("a negative mount group", .mount("ext4", group: "-1")),
      ("a mount group that is too large", .mount("ext4", group: "99999999999")),
    ]

    @Test func `a capability that is not whole or not known is invalid in every call`() async throws {
      try await withServer { server in
        let good = try await server.nodeVolume("v")
        let id = good.volume.volumeID
        for (what, capability) in Self.broken {
          var node = good
          node.capability = capability
          print("refusing", what)
          try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("w", capability))
          try await server.refuses(
            .invalidArgument, by: Methods.validateVolumeCapabilities,
            ValidateVolumeCapabilitiesRequest(volumeID: id, volumeCapabilities: [capability]))
          try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, node.stageRequest)
          try await server.refuses(.invalidArgument, by: Methods.nodePublishVolume, node.publishRequest())
          try await server.refuses(
            .invalidArgument, by: Methods.controllerExpandVolume,
            ControllerExpandVolumeRequest(
              volumeID: id, capacityRange: .atLeast(mib(16)), volumeCapability: capability))
        }
        try await server.delete(good.volume)
      }
    }

    @Test(arguments: [VolumeCapability.Mode.multiNodeReaderOnly, .multiNodeSingleWriter, .multiNodeMultiWriter])
    func `a volume on one node cannot be had on many`(mode: VolumeCapability.Mode) async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("v", .mount("ext4", mode)))
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("v", .block(mode)))
        try await server.refuses(
          .invalidArgument, by: Methods.createVolume, .named("v", .mount(), .mount("ext4", mode)))
      }
    }

    @Test(arguments: [
      VolumeCapability.Mode.singleNodeWriter, .singleNodeReaderOnly, .singleNodeSingleWriter, .singleNodeMultiWriter,
    ])
    func `every way to use a volume on one node is accepted`(mode: VolumeCapability.Mode) async throws {
      try await withServer { server in
        let mounted = try await server.create(.named("mounted", .mount("ext4", mode)))
        let raw = try await server.create(.named("raw", .block(mode)))
        try await server.delete(mounted, raw)
      }
    }

    @Test func `a list of device and file system at once is refused`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("v", .mount(), .block()))
      }
    }

    @Test func `a list of two file systems at once is refused`() async throws {
      try await withServer { server in
        try await server.refuses(
          .invalidArgument, by: Methods.createVolume, .named("v", bytes: mib(320), .mount("ext4"), .mount("xfs")))
      }
    }

    @Test func `a file system that only a later capability names is the one that is made`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", bytes: mib(320), .mount(""), .mount("xfs")))
        try await NodeVolume(server, volume, .mount("xfs")).whilePublished { path in
          #expect(server.mounts(at: path).first?.type == "xfs")
        }
        try await server.delete(volume)
      }
    }

    @Test func `several modes of one node go together`() async throws {
      try await withServer { server in
        let volume = try await server.create(
          .named("v", .mount("ext4", .singleNodeWriter), .mount("ext4", .singleNodeReaderOnly)))
        try await server.delete(volume)
      }
    }
  }
}
