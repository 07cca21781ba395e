import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "GroupController Service RPC".
  @Suite struct GroupSnapshots {
    private func create(_ server: Server, _ name: String, _ volumes: [Volume]) async throws -> VolumeGroupSnapshot {
      let request = CreateVolumeGroupSnapshotRequest(name: name, sourceVolumeIDs: volumes.map(\.volumeID))
      return try #require(try await server.call(Methods.createVolumeGroupSnapshot, request).groupSnapshot)
    }

    private func deletion(_ group: VolumeGroupSnapshot) -> DeleteVolumeGroupSnapshotRequest {
      DeleteVolumeGroupSnapshotRequest(
        groupSnapshotID: group.groupSnapshotID, snapshotIDs: group.snapshots.map(\.snapshotID))
    }

    private func withPair(_ body: (Server, [Volume]) async throws -> Void) async throws {
      try await withServer { server in
        let pair = [try await server.create(.named("a")), try await server.create(.named("b"))]
        try await body(server, pair)
        for volume in pair { try await server.delete(volume) }
        #expect(try await server.snapshotIDs().isEmpty)
      }
    }

    @Test func `name and sources are required`() async throws {
      try await withServer { server in
        let create = Methods.createVolumeGroupSnapshot
        try await server.refuses(.invalidArgument, by: create, .init(sourceVolumeIDs: ["missing"]))
        try await server.refuses(.invalidArgument, by: create, .init(name: "g"))
        try await server.refuses(.invalidArgument, by: create, .init(name: "g", sourceVolumeIDs: [""]))
        try await server.refuses(.invalidArgument, by: Methods.deleteVolumeGroupSnapshot, .init())
        try await server.refuses(.invalidArgument, by: Methods.getVolumeGroupSnapshot, .init())
      }
    }

    @Test func `an unknown member is not found and nothing is cut`() async throws {
      try await withPair { server, pair in
        try await server.refuses(
          .notFound, by: Methods.createVolumeGroupSnapshot,
          .init(name: "g", sourceVolumeIDs: [pair[0].volumeID, "missing"]))
        #expect(try await server.snapshotIDs().isEmpty)
      }
    }

    @Test func `a group has a ready member for each source`() async throws {
      try await withPair { server, pair in
        let group = try await create(server, "g", pair)
        #expect(!group.groupSnapshotID.isEmpty)
        #expect(group.readyToUse)
        #expect(group.creationTime != nil)
        #expect(Set(group.snapshots.map(\.sourceVolumeID)) == Set(pair.map(\.volumeID)))
        #expect(Set(group.snapshots.map(\.snapshotID)).count == 2)
        #expect(group.snapshots.allSatisfy { $0.groupSnapshotID == group.groupSnapshotID && $0.readyToUse })
        #expect(Set(try await server.snapshotIDs()) == Set(group.snapshots.map(\.snapshotID)))
        try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
      }
    }

    @Test func `ten equal calls make one group, in whatever order the members are named`() async throws {
      try await withPair { server, pair in
        let group = try await create(server, "g", pair)
        for round in 0..<9 {
          let again = try await create(server, "g", round % 2 == 0 ? pair.reversed() : pair)
          #expect(again.groupSnapshotID == group.groupSnapshotID)
          #expect(Set(again.snapshots) == Set(group.snapshots))
        }
        for _ in 0..<10 { try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group)) }
      }
    }

    @Test func `other members under a taken name already exist`() async throws {
      try await withPair { server, pair in
        let group = try await create(server, "g", pair)
        try await server.refuses(
          .alreadyExists, by: Methods.createVolumeGroupSnapshot,
          .init(name: "g", sourceVolumeIDs: [pair[0].volumeID]))
        try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
      }
    }

    @Test func `a member cannot be deleted alone`() async throws {
      try await withPair { server, pair in
        let group = try await create(server, "g", pair)
        for member in group.snapshots {
          try await server.refuses(
            .invalidArgument, by: Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: member.snapshotID))
        }
        #expect(try await server.snapshotIDs().count == 2)
        try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
      }
    }

    @Test func `a group can be got, and a list of members that differs is invalid`() async throws {
      try await withPair { server, pair in
        let group = try await create(server, "g", pair)
        let ids = group.snapshots.map(\.snapshotID)
        let got = try await server.call(
          Methods.getVolumeGroupSnapshot, .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: ids.reversed()))
        #expect(Set(got.groupSnapshot?.snapshots ?? []) == Set(group.snapshots))
        for wrong in [[ids[0]], ids + ["missing"], ["missing"]] {
          try await server.refuses(
            .invalidArgument, by: Methods.getVolumeGroupSnapshot,
            .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: wrong))
          try await server.refuses(
            .invalidArgument, by: Methods.deleteVolumeGroupSnapshot,
            .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: wrong))
        }
        try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
      }
    }

    @Test func `an unknown group is not found by get and deleted with success, with and without members`() async throws
    {
      try await withServer { server in
        for ids in [[], ["missing"]] {
          try await server.refuses(
            .notFound, by: Methods.getVolumeGroupSnapshot, .init(groupSnapshotID: "missing", snapshotIDs: ids))
          try await server.call(
            Methods.deleteVolumeGroupSnapshot, .init(groupSnapshotID: "missing", snapshotIDs: ids))
        }
      }
    }

    @Test func `a member restores to a volume`() async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("a")
        let other = try await server.create(.named("b"))
        try await node.stage()
        try await node.publish()
        try Files.write("then", to: node.target() + "/file")
        let group = try await create(server, "g", [node.volume, other])
        try Files.write("now!", to: node.target() + "/file")
        let member = try #require(group.snapshots.first { $0.sourceVolumeID == node.volume.volumeID })
        let restored = try await server.create(.named("restored", from: .snapshot(member.snapshotID)))
        try await NodeVolume(server, restored).whilePublished { #expect(Files.text($0 + "/file") == "then") }
        try await node.unpublish()
        try await node.unstage()
        try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
        try await server.delete(node.volume, other, restored)
      }
    }

    @Test func `members are cut at one point of the write stream`() async throws {
      try await withServer(.configured(overprovision: 100), on: .xfs) { server in
        let first = try await server.nodeVolume("a")
        let second = try await server.nodeVolume("b")
        for node in [first, second] {
          try await node.stage()
          try await node.publish()
        }
        let (one, two) = (first.target() + "/count", second.target() + "/count")
        // The second volume is written only when the first one's write is on its disk: of two members cut at one
        // point, the second never knows more than the first.
        let writer = Task.detached {
          var count = 0
          while !Task.isCancelled {
            // A machine of one processor has one thread for all tasks.
            await Task.yield()
            count += 1
            let text = String(repeating: "0", count: 9 - String(count).count) + String(count)
            try Files.write(text, to: one)
            try Files.write(text, to: two)
          }
          return count
        }
        var groups: [VolumeGroupSnapshot] = []
        for number in 0..<5 { groups.append(try await create(server, "g\(number)", [first.volume, second.volume])) }
        writer.cancel()
        #expect(try await writer.value > 0)
        for node in [first, second] {
          try await node.unpublish()
          try await node.unstage()
        }
        for group in groups {
          var counts: [Int] = []
          for source in [first.volume, second.volume] {
            let member = try #require(group.snapshots.first { $0.sourceVolumeID == source.volumeID })
            let restored = try await server.create(.named("restored", from: .snapshot(member.snapshotID)))
            try await NodeVolume(server, restored).whilePublished { counts.append(Int(Files.text($0 + "/count")) ?? 0) }
            try await server.delete(restored)
          }
          #expect(counts[0] - counts[1] == 0 || counts[0] - counts[1] == 1, "\(counts)")
          try await server.call(Methods.deleteVolumeGroupSnapshot, deletion(group))
        }
        try await server.delete(first.volume, second.volume)
      }
    }
  }
}
