import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "Snapshot Metadata Service RPC".
  @Suite struct SnapshotMetadata {
    /// A raw volume of 32 MiB with a block written at each offset, and two snapshots with one more write between.
    private func withSnapshots(
      _ body: (Server, _ base: Snapshot, _ target: Snapshot) async throws -> Void
    ) async throws {
      try await withServer { server in
        let node = try await server.nodeVolume("v", bytes: mib(32), .block())
        let block = [UInt8](repeating: 0xA5, count: 1 << 20)
        try await node.whilePublished { path in
          for megabyte in stride(from: 0, to: 32, by: 4) { try Files.write(block, to: path, at: megabyte << 20) }
        }
        let base = try await server.snapshot("base", of: node.volume)
        try await node.whilePublished { try Files.write(block.map { ~$0 }, to: $0, at: 9 << 20) }
        let target = try await server.snapshot("target", of: node.volume)
        try await body(server, base, target)
        try await server.delete(base, target)
        try await server.delete(node.volume)
      }
    }

    /// One ascending list without overlap, from responses that agree on type and capacity.
    private func ranges(
      _ responses: [(BlockMetadataType, Int64, [BlockMetadata])], limit: Int = .max
    ) throws -> [BlockMetadata] {
      #expect(Set(responses.map(\.0)).count <= 1)
      #expect(Set(responses.map(\.1)).count <= 1)
      #expect(responses.allSatisfy { $0.2.count <= limit })
      let all = responses.flatMap(\.2)
      #expect(all.allSatisfy { $0.sizeBytes > 0 })
      for (range, next) in zip(all, all.dropFirst()) { #expect(range.byteOffset + range.sizeBytes <= next.byteOffset) }
      if responses.first?.0 == .fixedLength { #expect(Set(all.map(\.sizeBytes)).count <= 1) }
      return all
    }

    private func allocated(_ server: Server, _ request: GetMetadataAllocatedRequest) async throws -> [BlockMetadata] {
      let responses = try await server.stream(Methods.getMetadataAllocated, request)
      #expect(responses.allSatisfy { $0.volumeCapacityBytes == mib(32) })
      return try ranges(
        responses.map { ($0.blockMetadataType, $0.volumeCapacityBytes, $0.blockMetadata) },
        limit: request.maxResults > 0 ? Int(request.maxResults) : .max)
    }

    private func changed(_ server: Server, _ request: GetMetadataDeltaRequest) async throws -> [BlockMetadata] {
      let responses = try await server.stream(Methods.getMetadataDelta, request)
      #expect(responses.allSatisfy { $0.volumeCapacityBytes == mib(32) })
      return try ranges(
        responses.map { ($0.blockMetadataType, $0.volumeCapacityBytes, $0.blockMetadata) },
        limit: request.maxResults > 0 ? Int(request.maxResults) : .max)
    }

    @Test func `snapshots are required`() async throws {
      try await withServer { server in
        try await server.refuses(.invalidArgument, by: Methods.getMetadataAllocated, .init())
        try await server.refuses(.invalidArgument, by: Methods.getMetadataDelta, .init(baseSnapshotID: "b"))
        try await server.refuses(.invalidArgument, by: Methods.getMetadataDelta, .init(targetSnapshotID: "t"))
      }
    }

    @Test func `unknown snapshots are not found`() async throws {
      try await withSnapshots { server, base, _ in
        try await server.refuses(.notFound, by: Methods.getMetadataAllocated, .init(snapshotID: "missing"))
        for (one, two) in [(base.snapshotID, "missing"), ("missing", base.snapshotID)] {
          try await server.refuses(
            .notFound, by: Methods.getMetadataDelta, .init(baseSnapshotID: one, targetSnapshotID: two))
        }
      }
    }

    @Test func `an offset before or behind the volume is out of range`() async throws {
      try await withSnapshots { server, base, target in
        for offset in [-1, mib(32), mib(33), .max] {
          try await server.refuses(
            .outOfRange, by: Methods.getMetadataAllocated,
            .init(snapshotID: base.snapshotID, startingOffset: offset))
          try await server.refuses(
            .outOfRange, by: Methods.getMetadataDelta,
            .init(baseSnapshotID: base.snapshotID, targetSnapshotID: target.snapshotID, startingOffset: offset))
        }
      }
    }

    @Test func `a negative number of results is invalid`() async throws {
      try await withSnapshots { server, base, _ in
        try await server.refuses(
          .invalidArgument, by: Methods.getMetadataAllocated, .init(snapshotID: base.snapshotID, maxResults: -1))
      }
    }

    @Test func `snapshots of different volumes have no delta`() async throws {
      try await withSnapshots { server, base, _ in
        let other = try await server.create(.named("other", bytes: mib(32), .block()))
        let point = try await server.snapshot("point", of: other)
        try await server.refuses(
          .invalidArgument, by: Methods.getMetadataDelta,
          .init(baseSnapshotID: base.snapshotID, targetSnapshotID: point.snapshotID))
        try await server.delete(point)
        try await server.delete(other)
      }
    }

    @Test func `all that was written is told as allocated`() async throws {
      try await withSnapshots { server, base, _ in
        let blocks = try await allocated(server, .init(snapshotID: base.snapshotID))
        for megabyte in stride(from: Int64(0), to: 32, by: 4) {
          #expect(blocks.cover(mib(megabyte), mib(1)), "\(megabyte) MiB")
        }
        #expect(blocks.map(\.sizeBytes).reduce(0, +) < mib(16))
      }
    }

    @Test func `all that differs is told as changed and not the whole volume`() async throws {
      try await withSnapshots { server, base, target in
        let blocks = try await changed(
          server, .init(baseSnapshotID: base.snapshotID, targetSnapshotID: target.snapshotID))
        #expect(blocks.cover(mib(9), mib(1)))
        #expect(blocks.map(\.sizeBytes).reduce(0, +) < mib(16))
      }
    }

    @Test func `a snapshot does not differ from itself`() async throws {
      try await withSnapshots { server, base, _ in
        let blocks = try await changed(
          server, .init(baseSnapshotID: base.snapshotID, targetSnapshotID: base.snapshotID))
        #expect(blocks.isEmpty)
      }
    }

    @Test(arguments: [1, 2, 3] as [Int32])
    func `no response holds more ranges than asked, and together they say the same`(limit: Int32) async throws {
      try await withSnapshots { server, base, _ in
        let whole = try await allocated(server, .init(snapshotID: base.snapshotID))
        let parts = try await allocated(server, .init(snapshotID: base.snapshotID, maxResults: limit))
        #expect(parts == whole)
      }
    }

    @Test func `a caller resumes at the next offset`() async throws {
      try await withSnapshots { server, base, target in
        let rest = try await allocated(server, .init(snapshotID: base.snapshotID, startingOffset: mib(10)))
        #expect(try #require(rest.first).byteOffset + rest[0].sizeBytes > mib(10))
        for megabyte in [Int64(12), 16, 20, 24, 28] { #expect(rest.cover(mib(megabyte), mib(1))) }
        #expect(!rest.cover(mib(4), mib(1)))
        let later = try await changed(
          server,
          .init(
            baseSnapshotID: base.snapshotID, targetSnapshotID: target.snapshotID,
            startingOffset: mib(9) + 524_288))
        #expect(later.cover(mib(9) + 524_288, 524_288))
      }
    }

    @Test func `blocks of a restored volume apart from the told ones are zero`() async throws {
      try await withSnapshots { server, base, _ in
        let blocks = try await allocated(server, .init(snapshotID: base.snapshotID))
        let restored = try await server.create(
          .named("restored", bytes: mib(32), .block(), from: .snapshot(base.snapshotID)))
        try await NodeVolume(server, restored, .block()).whilePublished { path in
          for page in stride(from: Int64(0), to: mib(32), by: 65536) where !blocks.touch(page, 65536) {
            #expect(Files.bytes(path, at: Int(page), count: 65536).allSatisfy { $0 == 0 })
          }
        }
        try await server.delete(restored)
      }
    }
  }
}

extension [BlockMetadata] {
  /// Whether the ranges together hold all of `length` bytes from `offset`.
  func cover(_ offset: Int64, _ length: Int64) -> Bool {
    var reached = offset
    for range in self where range.byteOffset <= reached && range.byteOffset + range.sizeBytes > reached {
      reached = range.byteOffset + range.sizeBytes
    }
    return reached >= offset + length
  }

  /// Whether a range holds any of these bytes.
  func touch(_ offset: Int64, _ length: Int64) -> Bool {
    contains { $0.byteOffset < offset + length && offset < $0.byteOffset + $0.sizeBytes }
  }
}
