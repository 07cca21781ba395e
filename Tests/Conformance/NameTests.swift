import CSI
import GRPC
import Testing

extension Conformance {
  /// Names of any Unicode up to 128 bytes (CSI specification, CreateVolumeRequest.name), and the size limits of fields.
  @Suite struct NamesAndSizes {
    static let names = [
      "plain", "with space", "..", ".", "a/b", "/etc/passwd", "../../escape", "-rf", "~", "$HOME", "`id`", "a;b|c&d",
      "tab\there", "line\nbreak", "return\rhere", "caf\u{E9}", "cafe\u{301}", "\u{1F4BE}\u{1F9EA}", "\u{202E}reversed",
      "u5-00000000-0000-0000-0000-000000000000", "volume.json", ".hidden", "UPPER", "upper", "*", "a:b", "files:v",
      "\u{A0}", "%2e%2e", "\\", "'\"", "lost+found", String(repeating: "n", count: 128),
      String(repeating: "\u{1F4BE}", count: 32), String(repeating: "/", count: 128),
    ]

    @Test func `every allowed name makes a volume of its own that a repeat finds`() async throws {
      try await withServer { server in
        var ids: [String: String] = [:]
        for name in Self.names {
          let volume = try await server.create(.named(name, .block()))
          #expect(ids.updateValue(name, forKey: volume.volumeID) == nil, "\(name.debugDescription) got an id twice")
          #expect(volume.volumeID.utf8.count <= 128)
        }
        try await server.restart()
        for name in Self.names {
          let volume = try await server.create(.named(name, .block()))
          #expect(ids[volume.volumeID] == name)
        }
        #expect(Set(try await server.volumeIDs()) == Set(ids.keys))
        let outside = Set(Files.names(server.directory))
        #expect(
          outside.isSubset(
            of: ["s", "data", "work", "log"] + (Backend.underTest == .lvm ? ["run", "stowage.yaml"] : [])), "\(outside)"
        )
        for id in ids.keys { try await server.call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: id)) }
        #expect(try await server.volumeIDs().isEmpty)
      }
    }

    @Test func `every allowed name makes a snapshot and a group of its own`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .block()))
        var ids: Set<String> = []
        for name in Self.names {
          let point = try await server.snapshot(name, of: volume)
          #expect(try await server.snapshot(name, of: volume) == point)
          ids.insert(point.snapshotID)
          let request = CreateVolumeGroupSnapshotRequest(name: name, sourceVolumeIDs: [volume.volumeID])
          let group = try #require(try await server.call(Methods.createVolumeGroupSnapshot, request).groupSnapshot)
          try await server.call(
            Methods.deleteVolumeGroupSnapshot,
            .init(groupSnapshotID: group.groupSnapshotID, snapshotIDs: group.snapshots.map(\.snapshotID)))
        }
        #expect(ids.count == Self.names.count)
        for id in ids { try await server.call(Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: id)) }
        try await server.delete(volume)
      }
    }

    @Test(arguments: ["\u{1}", "bell\u{7}", "\u{B}", "\u{C}", "\u{1F}x", "del\u{7F}", "\u{85}", "\u{9F}"])
    func `control characters in a name are invalid`(name: String) async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .block()))
        try await server.refuses(.invalidArgument, by: Methods.createVolume, .named(name))
        try await server.refuses(
          .invalidArgument, by: Methods.createSnapshot,
          CreateSnapshotRequest(sourceVolumeID: volume.volumeID, name: name))
        try await server.refuses(
          .invalidArgument, by: Methods.createVolumeGroupSnapshot,
          CreateVolumeGroupSnapshotRequest(name: name, sourceVolumeIDs: [volume.volumeID]))
        try await server.delete(volume)
      }
    }

    @Test func `a name of 129 bytes is invalid`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", .block()))
        for name in [String(repeating: "n", count: 129), String(repeating: "\u{1F4BE}", count: 33)] {
          try await server.refuses(.invalidArgument, by: Methods.createVolume, .named(name))
          try await server.refuses(
            .invalidArgument, by: Methods.createSnapshot,
            CreateSnapshotRequest(sourceVolumeID: volume.volumeID, name: name))
        }
        try await server.delete(volume)
      }
    }

    @Test func `maps of more than four kibibytes are invalid`() async throws {
      try await withServer { server in
        let large = ["key": String(repeating: "v", count: 4096)]
        var request = CreateVolumeRequest.named("v")
        request.parameters = large
        try await server.refuses(.invalidArgument, by: Methods.createVolume, request)
        let node = try await server.nodeVolume("w")
        var stage = node.stageRequest
        stage.volumeContext = large
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, stage)
        stage = node.stageRequest
        stage.volumeCapability = .mount("ext4", flags: [String(repeating: "f", count: 4097)])
        try await server.refuses(.invalidArgument, by: Methods.nodeStageVolume, stage)
        try await server.delete(node.volume)
      }
    }

    @Test func `ids of more than 128 bytes are invalid where they must exist`() async throws {
      try await withServer { server in
        let long = String(repeating: "x", count: 129)
        try await server.refuses(
          .invalidArgument, .notFound, by: Methods.controllerGetVolume, ControllerGetVolumeRequest(volumeID: long))
        try await server.refuses(
          .invalidArgument, .notFound, by: Methods.getSnapshot, GetSnapshotRequest(snapshotID: long))
      }
    }
  }
}
