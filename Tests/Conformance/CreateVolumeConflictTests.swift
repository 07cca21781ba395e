import CSI
import GRPC
import Testing

extension Conformance {
  /// A name that is taken by a volume of another kind.
  @Suite struct CreateVolumeConflicts {
    @Test func `a bigger size under a taken name is refused`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = .exactly(mib(32))
        try await server.refuses(.alreadyExists, by: Methods.createVolume, request)
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("v", bytes: mib(32)))
        try await server.delete(volume)
      }
    }

    @Test func `a limit below the volume under a taken name is refused`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = CapacityRange(limitBytes: mib(8))
        try await server.refuses(.alreadyExists, by: Methods.createVolume, request)
        try await server.delete(volume)
      }
    }

    @Test func `another access type under a taken name is refused`() async throws {
      try await withServer { server in
        let mounted = try await server.create(.named("mounted", .mount()))
        let raw = try await server.create(.named("raw", .block()))
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("mounted", .block()))
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("raw", .mount()))
        try await server.delete(mounted, raw)
      }
    }

    @Test func `another file system under a taken name is refused`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", bytes: mib(320), .mount("ext4")))
        try await server.refuses(
          .alreadyExists, by: Methods.createVolume, .named("v", bytes: mib(320), .mount("xfs")))
        try await server.delete(volume)
      }
    }

    @Test func `other parameters under a taken name are refused, equal ones are not`() async throws {
      try await withServer { server in
        let other = Backend.underTest.parameters
        let volume = try await server.create(.named("v", parameters: other))
        #expect(try await server.create(.named("v", parameters: other)) == volume)
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("v"))
        let plain = try await server.create(.named("w"))
        #expect(
          try await server.create(.named("w", parameters: Backend.underTest.defaultParameters)) == plain)
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("w", parameters: other))
        try await server.delete(volume, plain)
      }
    }

    @Test func `another source under a taken name is refused`() async throws {
      try await withServer { server in
        let origin = try await server.create(.named("origin"))
        let other = try await server.create(.named("other"))
        let copy = try await server.create(.named("copy", from: .volume(origin.volumeID)))
        try await server.refuses(.alreadyExists, by: Methods.createVolume, .named("copy"))
        try await server.refuses(
          .alreadyExists, by: Methods.createVolume, .named("copy", from: .volume(other.volumeID)))
        try await server.refuses(
          .alreadyExists, by: Methods.createVolume, .named("other", from: .volume(origin.volumeID)))
        #expect(try await server.create(.named("copy", from: .volume(origin.volumeID))) == copy)
        try await server.delete(origin, other, copy)
      }
    }

    @Test func `a topology that the volume cannot be reached from under a taken name is refused`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var request = CreateVolumeRequest.named("v")
        request.accessibilityRequirements = TopologyRequirement(
          requisite: [Topology(segments: [Server.topologyKey: "node-2"])])
        try await server.refuses(.alreadyExists, .resourceExhausted, by: Methods.createVolume, request)
        request.accessibilityRequirements = TopologyRequirement(
          requisite: [Topology(segments: [Server.topologyKey: "node-1"])])
        #expect(try await server.create(request) == volume)
        try await server.delete(volume)
      }
    }

    @Test func `mount flags and secrets are no part of the comparison`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var request = CreateVolumeRequest.named("v", .mount("ext4", flags: ["noatime"]))
        request.secrets = ["key": "value"]
        #expect(try await server.create(request) == volume)
        try await server.delete(volume)
      }
    }

    @Test func `an empty file system type and the default one are the same`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .mount("")))
        #expect(try await server.create(.named("v", .mount("ext4"))) == volume)
        try await server.delete(volume)
      }
    }
  }
}
