import CSI
import GRPC
import Testing

extension Conformance {
  /// Sections "ControllerPublishVolume" and "ControllerUnpublishVolume".
  @Suite struct Attach {
    private func request(_ id: String, _ node: String = "node-1", _ capability: VolumeCapability? = .mount())
      -> ControllerPublishVolumeRequest
    {
      ControllerPublishVolumeRequest(volumeID: id, nodeID: node, volumeCapability: capability)
    }

    @Test func `volume, node and capability are required before anything is looked up`() async throws {
      try await withServer { server in
        let publish = Methods.controllerPublishVolume
        for incomplete in [request("", "node-1"), request("missing", ""), request("missing", "node-1", nil)] {
          try await server.refuses(.invalidArgument, by: publish, incomplete)
        }
        try await server.refuses(
          .invalidArgument, by: Methods.controllerUnpublishVolume, ControllerUnpublishVolumeRequest(nodeID: "node-1"))
      }
    }

    @Test func `an unknown volume and an unknown node are not found`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.refuses(.notFound, by: Methods.controllerPublishVolume, request("missing"))
        try await server.refuses(
          .notFound, by: Methods.controllerPublishVolume, request(volume.volumeID, "fake-node-id-abc"))
        try await server.delete(volume)
      }
    }

    @Test func `ten equal calls give the same context and the node is listed`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let first = try await server.call(Methods.controllerPublishVolume, request(volume.volumeID))
        for _ in 0..<9 {
          #expect(try await server.call(Methods.controllerPublishVolume, request(volume.volumeID)) == first)
        }
        #expect(try await server.publishedNodes(volume) == ["node-1"])
        for _ in 0..<10 {
          try await server.call(
            Methods.controllerUnpublishVolume,
            ControllerUnpublishVolumeRequest(volumeID: volume.volumeID, nodeID: "node-1"))
        }
        #expect(try await server.publishedNodes(volume) == [])
        try await server.delete(volume)
      }
    }

    @Test func `another capability or read-only state on the same node already exists`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.call(Methods.controllerPublishVolume, request(volume.volumeID))
        try await server.refuses(
          .alreadyExists, by: Methods.controllerPublishVolume,
          request(volume.volumeID, "node-1", .mount("ext4", .singleNodeReaderOnly)))
        if try await server.controllerCapabilities().contains(.publishReadonly) {
          var readonly = request(volume.volumeID)
          readonly.readonly = true
          try await server.refuses(.alreadyExists, by: Methods.controllerPublishVolume, readonly)
        }
        try await server.detach(volume)
        try await server.delete(volume)
      }
    }

    @Test func `a volume that is attached cannot be deleted`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.call(Methods.controllerPublishVolume, request(volume.volumeID))
        try await server.refuses(
          .failedPrecondition, by: Methods.deleteVolume, DeleteVolumeRequest(volumeID: volume.volumeID))
        try await server.detach(volume)
        try await server.delete(volume)
      }
    }

    @Test func `detaching from everywhere needs no node`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        try await server.call(Methods.controllerPublishVolume, request(volume.volumeID))
        try await server.detach(volume)
        #expect(try await server.publishedNodes(volume) == [])
        try await server.delete(volume)
      }
    }

    @Test func `detaching what is unknown or was never attached succeeds`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for (id, node) in [
          (volume.volumeID, "node-1"), (volume.volumeID, "node-2"), ("missing", "node-1"), ("a/b", ""),
        ] {
          try await server.call(
            Methods.controllerUnpublishVolume, ControllerUnpublishVolumeRequest(volumeID: id, nodeID: node))
        }
        try await server.delete(volume)
        try await server.detach(volume)
      }
    }

    @Test func `an attachment survives a restart`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let context = try await server.call(Methods.controllerPublishVolume, request(volume.volumeID))
        try await server.kill()
        try await server.start()
        #expect(try await server.publishedNodes(volume) == ["node-1"])
        #expect(try await server.call(Methods.controllerPublishVolume, request(volume.volumeID)) == context)
        try await server.detach(volume)
        try await server.delete(volume)
      }
    }

    @Test func `a volume goes through attach, stage and publish and back`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        let context = try await server.call(Methods.controllerPublishVolume, request(node.volume.volumeID))
        var stage = node.stageRequest
        stage.publishContext = context.publishContext
        var publish = node.publishRequest()
        publish.publishContext = context.publishContext
        try await server.call(Methods.nodeStageVolume, stage)
        try await server.call(Methods.nodePublishVolume, publish)
        try Files.write("x", to: node.target() + "/file")
        try await node.unpublish()
        try await node.unstage()
        try await server.detach(node.volume)
        try await server.delete(node.volume)
      }
    }
  }
}

extension Server {
  /// Detaches from all nodes.
  func detach(_ volume: Volume) async throws {
    try await call(Methods.controllerUnpublishVolume, ControllerUnpublishVolumeRequest(volumeID: volume.volumeID))
  }

  /// The nodes that the listing and ControllerGetVolume agree on.
  func publishedNodes(_ volume: Volume) async throws -> [String] {
    let entries = try await call(Methods.listVolumes, ListVolumesRequest()).entries
    let listed = try #require(entries.first { $0.volume?.volumeID == volume.volumeID }?.status).publishedNodeIDs
    let got = try await call(Methods.controllerGetVolume, ControllerGetVolumeRequest(volumeID: volume.volumeID))
    #expect(got.status?.publishedNodeIDs == listed)
    return listed
  }
}
