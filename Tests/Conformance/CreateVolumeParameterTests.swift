import CSI
import GRPC
import Testing

extension Conformance {
  /// Parameters and topology of CreateVolume.
  @Suite struct CreateVolumeParameters {
    @Test(arguments: [
      ["colour": "green"], ["provisioning": "magic"], ["mkfsOptions": "--help; reboot"], ["fsType": "ntfs"], ["": ""],
      ["mkfsOptions": "-d file=/etc/passwd"], ["backend": "nowhere"],
    ])
    func `unknown keys and bad values are invalid`(parameters: [String: String]) async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named("v", parameters: parameters))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `keys that the sidecars add are tolerated and are no part of the comparison`() async throws {
      try await withServer { server in
        let volume = try await server.create(
          .named(
            "v",
            parameters: [
              "csi.storage.k8s.io/pvc/name": "claim", "csi.storage.k8s.io/pvc/namespace": "default",
              "csi.storage.k8s.io/pv/name": "pv", "fstype": "ext4", "csiProvisionerSecretName": "s",
              "csiProvisionerSecretNamespace": "n",
            ]))
        #expect(try await server.create(.named("v")) == volume)
        try await server.delete(volume)
      }
    }

    @Test(.onlyFor(.file, "where files lie is shown by the files"))
    func `a thick volume has its space and a sparse one takes none`() async throws {
      try await withServer { server in
        func used() -> Int64 {
          Files.tree(server.data).reduce(0) { $0 + Int64(Files.status($1)?.st_blocks ?? 0) * 512 }
        }
        let before = used()
        let sparse = try await server.create(.named("sparse", bytes: mib(32), .block()))
        #expect(used() - before < mib(1))
        let thick = try await server.create(
          .named("thick", bytes: mib(32), .block(), parameters: ["provisioning": "thick"]))
        #expect(used() - before >= mib(32))
        try await server.delete(sparse, thick)
        #expect(used() - before < mib(1))
      }
    }

    @Test func `mkfs options of a class reach the file system`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", parameters: ["mkfsOptions": "-N 64 -L labelled"]))
        try await NodeVolume(server, volume).whilePublished { path in
          let usage = try await server.call(
            Methods.nodeGetVolumeStats,
            NodeGetVolumeStatsRequest(volumeID: volume.volumeID, volumePath: path)
          ).usage
          let inodes = try #require(usage.first { $0.unit == .inodes })
          #expect(inodes.total <= 128)
        }
        try await server.delete(volume)
      }
    }

    @Test func `a volume is made where one of the required places is served`() async throws {
      try await withServer { server in
        let here = Topology(segments: [Server.topologyKey: "node-1"])
        let there = Topology(segments: [Server.topologyKey: "node-2"])
        var request = CreateVolumeRequest.named("v")
        request.accessibilityRequirements = TopologyRequirement(requisite: [there, here], preferred: [there, here])
        let volume = try await server.create(request)
        #expect(volume.accessibleTopology == [here])
        try await server.delete(volume)
      }
    }

    @Test func `places that are not served exhaust the resource`() async throws {
      try await withServer { server in
        for segments in [[Server.topologyKey: "node-2"], ["example.org/zone": "z"]] {
          var request = CreateVolumeRequest.named("v")
          request.accessibilityRequirements = TopologyRequirement(requisite: [Topology(segments: segments)])
          try await server.refuses(.resourceExhausted, by: Methods.createVolume, request)
        }
        #expect(try await server.volumeIDs().isEmpty)
      }
    }
  }
}
