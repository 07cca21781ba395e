import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "ListVolumes".
  @Suite struct ListVolumes {
    private func page(_ server: Server, _ max: Int32, _ token: String = "") async throws -> ListVolumesResponse {
      try await server.call(Methods.listVolumes, ListVolumesRequest(maxEntries: max, startingToken: token))
    }

    @Test func `nothing is listed where nothing is`() async throws {
      try await withServer { server in
        let answer = try await page(server, 0)
        #expect(answer.entries.isEmpty)
        #expect(answer.nextToken.isEmpty)
      }
    }

    @Test func `a negative page size is invalid`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.listVolumes, ListVolumesRequest(maxEntries: -1))
      }
    }

    @Test(arguments: ["invalid-token", "0", "zz", "\u{1F4BE}", String(repeating: "61", count: 64)])
    func `a token that was never given is aborted`(token: String) async throws {
      try await withServer { server in
        try await server.refuses(.aborted, by: Methods.listVolumes, ListVolumesRequest(startingToken: token))
      }
    }

    @Test func `without a limit all volumes come at once, with size, context and condition`() async throws {
      try await withServer { server in
        var made: [Volume] = []
        for name in ["a", "b", "c"] { made.append(try await server.create(.named(name))) }
        let answer = try await page(server, 0)
        #expect(Set(answer.entries.compactMap(\.volume)) == Set(made))
        #expect(answer.nextToken.isEmpty)
        for entry in answer.entries {
          let condition = try #require(entry.status?.volumeCondition)
          #expect(!condition.abnormal)
          #expect(!condition.message.isEmpty)
          #expect(entry.status?.publishedNodeIDs == [])
        }
        for volume in made { try await server.delete(volume) }
        #expect(try await page(server, 0).entries.isEmpty)
      }
    }

    @Test func `pages tell each volume once and end without a token`() async throws {
      try await withServer { server in
        for number in 0..<7 { _ = try await server.create(.named("v\(number)")) }
        var told: [String] = []
        var token = ""
        var pages = 0
        repeat {
          let answer = try await page(server, 3, token)
          #expect(answer.entries.count <= 3)
          told += answer.entries.compactMap(\.volume?.volumeID)
          token = answer.nextToken
          pages += 1
        } while !token.isEmpty
        #expect(pages == 3)
        #expect(told.count == 7)
        #expect(Set(told).count == 7)
        for id in told { try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id)) }
      }
    }

    @Test func `the rest after a token comes in one answer when there is no limit`() async throws {
      try await withServer { server in
        for number in 0..<5 { _ = try await server.create(.named("v\(number)")) }
        let first = try await page(server, 2)
        let rest = try await page(server, 0, first.nextToken)
        #expect(rest.entries.count == 3)
        #expect(rest.nextToken.isEmpty)
        for id in try await server.volumeIDs() {
          try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id))
        }
      }
    }

    @Test func `volumes that go and come between two pages neither repeat nor hide others`() async throws {
      try await withServer { server in
        var ids: Set<String> = []
        for number in [1, 2, 3, 5, 6, 7] { ids.insert(try await server.create(.named("v\(number)")).volumeID) }
        let first = try await page(server, 3)
        let told = first.entries.compactMap(\.volume?.volumeID)
        #expect(told == Array(ids.sorted().prefix(3)))
        // What the token stands for is deleted, and others come, on whatever side of it their ids put them.
        let last = try #require(told.last)
        try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: last))
        for number in [0, 4, 8, 9] { ids.insert(try await server.create(.named("v\(number)")).volumeID) }
        let second = try await page(server, 0, first.nextToken)
        #expect(second.entries.compactMap(\.volume?.volumeID) == ids.filter { $0 > last }.sorted())
        for id in try await server.volumeIDs() {
          try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id))
        }
      }
    }

    @Test func `a token outlives a restart`() async throws {
      try await withServer { server in
        for number in 0..<4 { _ = try await server.create(.named("v\(number)")) }
        let first = try await page(server, 2)
        try await server.restart()
        #expect(try await page(server, 0, first.nextToken).entries.count == 2)
        for id in try await server.volumeIDs() {
          try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id))
        }
      }
    }
  }
}
