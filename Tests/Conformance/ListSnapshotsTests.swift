import CSI
import GRPC
import Testing

extension Conformance {
  /// Sections "ListSnapshots" and "GetSnapshot".
  @Suite struct ListSnapshots {
    private func list(_ server: Server, _ request: ListSnapshotsRequest) async throws -> [Snapshot] {
      try await server.call(Methods.listSnapshots, request).entries.compactMap(\.snapshot)
    }

    @Test func `filters by snapshot and by source tell only what matches both`() async throws {
      try await withServer { server in
        let one = try await server.create(.named("one"))
        let two = try await server.create(.named("two"))
        let first = try await server.snapshot("first", of: one)
        let second = try await server.snapshot("second", of: one)
        let third = try await server.snapshot("third", of: two)
        #expect(Set(try await list(server, .init())) == [first, second, third])
        #expect(Set(try await list(server, .init(sourceVolumeID: one.volumeID))) == [first, second])
        #expect(try await list(server, .init(snapshotID: third.snapshotID)) == [third])
        #expect(
          try await list(server, .init(sourceVolumeID: two.volumeID, snapshotID: third.snapshotID)) == [third])
        #expect(try await list(server, .init(sourceVolumeID: one.volumeID, snapshotID: third.snapshotID)).isEmpty)
        try await server.delete(first, second, third)
        try await server.delete(one, two)
      }
    }

    @Test func `a filter that matches nothing gives an empty list`() async throws {
      try await withServer { server in
        for id in ["missing", "../x", "\u{1F4F7}"] {
          let byID = try await list(server, .init(snapshotID: id))
          let bySource = try await list(server, .init(sourceVolumeID: id))
          #expect(byID.isEmpty && bySource.isEmpty)
        }
      }
    }

    @Test func `a source that is gone still selects its snapshots`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let point = try await server.snapshot("point", of: volume)
        try await server.delete(volume)
        #expect(try await list(server, .init(sourceVolumeID: volume.volumeID)) == [point])
        try await server.delete(point)
      }
    }

    @Test func `pages tell each snapshot once, filtered or not`() async throws {
      try await withServer { server in
        let one = try await server.create(.named("one"))
        let two = try await server.create(.named("two"))
        for number in 0..<5 {
          _ = try await server.snapshot("one\(number)", of: one)
          _ = try await server.snapshot("two\(number)", of: two)
        }
        for (source, expected) in [("", 10), (one.volumeID, 5)] {
          var told: [String] = []
          var token = ""
          repeat {
            let answer = try await server.call(
              Methods.listSnapshots,
              ListSnapshotsRequest(maxEntries: 2, startingToken: token, sourceVolumeID: source))
            #expect(answer.entries.count <= 2)
            told += answer.entries.compactMap(\.snapshot?.snapshotID)
            token = answer.nextToken
          } while !token.isEmpty
          #expect(told.count == expected)
          #expect(Set(told).count == expected)
        }
        for id in try await server.snapshotIDs() {
          try await server.call(Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: id))
        }
        try await server.delete(one, two)
      }
    }

    @Test func `a snapshot that is deleted between two pages does not end the listing`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var ids: Set<String> = []
        for number in 0..<4 { ids.insert(try await server.snapshot("s\(number)", of: volume).snapshotID) }
        let first = try await server.call(Methods.listSnapshots, ListSnapshotsRequest(maxEntries: 2))
        for entry in first.entries { try await server.delete(try #require(entry.snapshot)) }
        let rest = try await server.call(
          Methods.listSnapshots, ListSnapshotsRequest(startingToken: first.nextToken))
        #expect(rest.entries.compactMap(\.snapshot?.snapshotID) == Array(ids.sorted().suffix(2)))
        for entry in rest.entries { try await server.delete(try #require(entry.snapshot)) }
        try await server.delete(volume)
      }
    }

    @Test func `a bad token is aborted and a negative page size invalid`() async throws {
      try await withServer { server in
        try await server.refuses(
          .aborted, by: Methods.listSnapshots, ListSnapshotsRequest(startingToken: "invalid-token"))
        try await server.refuses(.invalidArgument, by: Methods.listSnapshots, ListSnapshotsRequest(maxEntries: -1))
      }
    }

    @Test func `one snapshot can be got by its id`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let point = try await server.snapshot("point", of: volume)
        let got = try await server.call(Methods.getSnapshot, GetSnapshotRequest(snapshotID: point.snapshotID))
        #expect(got.snapshot == point)
        try await server.refuses(.invalidArgument, by: Methods.getSnapshot, GetSnapshotRequest())
        try await server.refuses(.notFound, by: Methods.getSnapshot, GetSnapshotRequest(snapshotID: "missing"))
        try await server.delete(point)
        try await server.refuses(
          .notFound, by: Methods.getSnapshot, GetSnapshotRequest(snapshotID: point.snapshotID))
        try await server.delete(volume)
      }
    }
  }
}
