import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "CreateVolume": what a request needs, what repeats find, and what sizes come of it.
  @Suite struct CreateVolume {
    @Test func `a name is required`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named(""))
      }
    }

    @Test func `at least one capability is required`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.createVolume, CreateVolumeRequest(name: "v"))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a new volume has an id, its size and the node's topology`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        #expect((1...128).contains(volume.volumeID.utf8.count))
        #expect(volume.capacityBytes == mib(16))
        #expect(volume.contentSource == nil)
        #expect(volume.accessibleTopology.map(\.segments) == [[Server.topologyKey: "node-1"]])
        try await server.delete(volume)
      }
    }

    @Test func `ten equal requests make one volume`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for _ in 0..<9 { #expect(try await server.create(.named("v")) == volume) }
        #expect(try await server.volumeIDs() == [volume.volumeID])
        try await server.delete(volume)
      }
    }

    @Test func `another name makes another volume`() async throws {
      try await withServer { server in
        let one = try await server.create(.named("one"))
        let two = try await server.create(.named("two"))
        #expect(one.volumeID != two.volumeID)
        try await server.delete(one, two)
      }
    }

    @Test func `a repeat that the volume satisfies finds it`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var smaller = CreateVolumeRequest.named("v", bytes: mib(8))
        #expect(try await server.create(smaller) == volume)
        smaller.capacityRange = CapacityRange(requiredBytes: mib(1), limitBytes: mib(64))
        #expect(try await server.create(smaller) == volume)
        smaller.capacityRange = nil
        #expect(try await server.create(smaller) == volume)
        try await server.delete(volume)
      }
    }

    @Test func `the required size is granted and the limit kept when both are one`() async throws {
      try await withServer { server in
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = .exactly(mib(20))
        let volume = try await server.create(request)
        #expect(volume.capacityBytes == mib(20))
        try await server.delete(volume)
      }
    }

    @Test func `a size that is no multiple of the unit is rounded up`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", bytes: mib(16) + 1))
        #expect(volume.capacityBytes > mib(16))
        #expect(volume.capacityBytes % Backend.underTest.sizeUnit == 0)
        #expect(volume.capacityBytes < mib(16) + 1 + Backend.underTest.sizeUnit)
        try await server.delete(volume)
      }
    }

    @Test func `rounding past the limit is out of range`() async throws {
      try await withServer { server in
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = .exactly(mib(16) + 1)
        try await server.refuses(.outOfRange, by: Methods.createVolume, request)
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `a limit below the requirement is out of range`() async throws {
      try await withServer { server in
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = CapacityRange(requiredBytes: mib(16), limitBytes: mib(8))
        try await server.refuses(.outOfRange, .invalidArgument, by: Methods.createVolume, request)
      }
    }

    @Test(arguments: [("ext4", mib(1)), ("xfs", mib(16)), ("btrfs", mib(16))])
    func `a limit below what the file system needs is out of range`(fsType: String, limit: Int64) async throws {
      try await withServer { server in
        var request = CreateVolumeRequest.named("v", .mount(fsType))
        request.capacityRange = CapacityRange(limitBytes: limit - 4096)
        try await server.refuses(.outOfRange, by: Methods.createVolume, request)
      }
    }

    @Test func `a size above the largest volume is out of range`() async throws {
      try await withServer(.configured(backend: ["maximumSize: 64Mi", "defaultSize: 16Mi"])) { server in
        try await server.refuses(.outOfRange, by: Methods.createVolume, .named("v", bytes: mib(65)))
        try await server.refuses(.outOfRange, by: Methods.createVolume, .named("v", bytes: .max))
        let largest = try await server.create(.named("v", bytes: mib(64)))
        try await server.delete(largest)
      }
    }

    @Test func `without a range the configured default size is made`() async throws {
      try await withServer(.configured(backend: ["defaultSize: 24Mi"])) { server in
        var request = CreateVolumeRequest.named("v")
        request.capacityRange = nil
        let volume = try await server.create(request)
        #expect(volume.capacityBytes == mib(24))
        try await server.delete(volume)
      }
    }

    @Test func `a range that says nothing is invalid, and so are negative numbers`() async throws {
      try await withServer { server in
        for (required, limit): (Int64, Int64) in [(0, 0), (-1, 0), (0, -1), (.min, .max)] {
          var request = CreateVolumeRequest.named("v")
          request.capacityRange = CapacityRange(requiredBytes: required, limitBytes: limit)
          try await server.refuses(.invalidArgument, by: Methods.createVolume, request)
        }
      }
    }

    @Test func `a volume that there is no room for exhausts the resource`() async throws {
      try await withServer(on: .ext4) { server in
        try await server.refuses(.resourceExhausted, by: Methods.createVolume, .named("v", bytes: 1 << 40))
        #expect(try await server.volumeIDs().isEmpty)
      }
    }
  }
}
