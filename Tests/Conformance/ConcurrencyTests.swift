import CSI
import GRPC
import Testing

extension Conformance {
  /// Several calls at once: for one object, and for many.
  @Suite struct Concurrency {
    /// A volume whose copy takes a good while.
    private func withSlowSource(_ body: (Server, Volume) async throws -> Void) async throws {
      try await withServer(.configured(overprovision: 2), on: .ext4) { server in
        let source = try await server.slowSource()
        try await body(server, source)
        try await server.delete(source)
      }
    }

    private func clone(_ source: Volume, _ name: String = "copy") -> CreateVolumeRequest {
      .named(name, bytes: source.capacityBytes, .block(), from: .volume(source.volumeID))
    }

    @Test func `a second call for a busy name is aborted while other volumes proceed`() async throws {
      try await withSlowSource { server, source in
        let staged = try await server.nodeVolume("staged")
        try await staged.stage()
        let copy = try await server.copy(clone(source)) {
          try await server.refuses(.aborted, by: Methods.createVolume, clone(source))
          var differing = clone(source)
          differing.volumeContentSource = nil
          try await server.refuses(.aborted, .alreadyExists, by: Methods.createVolume, differing)
          try await staged.publish()
          try Files.write("x", to: staged.target() + "/file")
          try await staged.unpublish()
          // Where it is the group that is busy, nobody else can make a volume in it either.
          guard Backend.underTest == .file else { return }
          let other = try await server.nodeVolume("other")
          try await other.whilePublished { try Files.write("x", to: $0 + "/file") }
          try await server.delete(other.volume)
        }
        #expect(try await server.create(clone(source)) == copy)
        try await staged.unstage()
        try await server.delete(copy, staged.volume)
      }
    }

    @Test func `the source of a copy that is under way can be neither deleted nor grown`() async throws {
      try await withSlowSource { server, source in
        let copy = try await server.copy(clone(source)) {
          try await server.refuses(.aborted, by: Methods.deleteVolume, DeleteVolumeRequest(volumeID: source.volumeID))
          try await server.refuses(
            .aborted, by: Methods.controllerExpandVolume,
            ControllerExpandVolumeRequest(
              volumeID: source.volumeID, capacityRange: .atLeast(source.capacityBytes + mib(16))))
        }
        try await server.delete(copy)
      }
    }

    @Test func `work goes on when its caller's deadline passes, and a repeat joins it`() async throws {
      try await withSlowSource { server, source in
        try await server.holdingBack { _ in
          do {
            try await server.call(Methods.createVolume, clone(source), timeout: .milliseconds(20))
            Issue.record("128 MiB were copied within 20 ms")
          } catch let status as Status {
            #expect(status.code == .deadlineExceeded)
          }
        }
        let copy = try #require(try await server.persist(Methods.createVolume, clone(source)).volume)
        #expect(copy.capacityBytes == source.capacityBytes)
        #expect(try await server.volumeIDs().count == 2)
        try await server.delete(copy)
      }
    }

    @Test func `a crowd of volumes is created, listed and deleted at once`() async throws {
      try await withServer(.configured(overprovision: 100)) { server in
        try await withThrowingTaskGroup { group in
          for number in 0..<Backend.underTest.crowd {
            group.addTask {
              let volume = try await server.create(.named("v\(number)", .block()))
              _ = try await server.call(Methods.listVolumes, ListVolumesRequest(maxEntries: 10))
              let point = try await server.snapshot("s\(number)", of: volume)
              try await server.delete(volume)
              try await server.delete(point)
            }
          }
          try await group.waitForAll()
        }
        #expect(try await server.volumeIDs().isEmpty)
        #expect(try await server.snapshotIDs().isEmpty)
      }
    }

    @Test func `many equal calls at once make one volume, and each is served or told to wait`() async throws {
      try await withServer { server in
        let ids = try await withThrowingTaskGroup(of: String?.self) { group in
          for _ in 0..<64 {
            group.addTask {
              do { return try await server.create(.named("same", .block())).volumeID } catch let status as Status {
                guard status.code == .aborted else { throw status }
                return nil
              }
            }
          }
          return try await group.reduce(into: Set<String>()) { if let id = $1 { $0.insert(id) } }
        }
        #expect(ids.count == 1)
        #expect(try await server.volumeIDs() == Array(ids))
        try await server.delete(try await server.create(.named("same", .block())))
      }
    }

    @Test func `many volumes are staged and published at once`() async throws {
      try await withServer { server in
        try await withThrowingTaskGroup { group in
          for number in 0..<min(20, Backend.underTest.crowd) {
            group.addTask {
              let node = try await server.nodeVolume("v\(number)")
              try await node.whilePublished { path in
                try Files.write("\(number)", to: path + "/file")
                #expect(Files.text(path + "/file") == "\(number)")
              }
              try await server.delete(node.volume)
            }
          }
          try await group.waitForAll()
        }
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `calls of one volume that cross each other end in a state that repeats heal`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v")
        try await withThrowingTaskGroup { group in
          for worker in 0..<4 {
            group.addTask {
              for _ in 0..<10 {
                do {
                  try await node.stage()
                  try await node.publish(worker)
                  try await node.unpublish(worker)
                  try await node.unstage()
                } catch let status as Status {
                  #expect([.aborted, .failedPrecondition].contains(status.code), "\(status)")
                }
              }
            }
          }
          try await group.waitForAll()
        }
        for worker in 0..<4 {
          _ = try await server.persist(Methods.nodeUnpublishVolume, node.unpublishRequest(worker))
        }
        try await node.unstage()
        #expect(server.mounts.isEmpty)
        try await server.delete(node.volume)
      }
    }
  }
}
