import CSI
import Glibc
import Testing

extension Conformance {
  /// `stowage gc` against a server that holds more than its cluster knows.
  @Suite struct GarbageCollection {
    /// The ids of volumes `kept` and `lost`, snapshots `kept-s` and `lost-s`, and the group `g` of both volumes.
    private struct Orphans {
      let kept, lost, keptSnapshot, lostSnapshot, group: String
      var volumes: [String] { [kept, lost].sorted() }
      /// What the cluster knows when it has lost what its name says.
      var known: String { "\(kept)\n\(keptSnapshot)\n" }
    }

    private func withOrphans(
      _ options: ServerOptions = .init(), _ body: (Server, GC, Orphans) async throws -> Void
    ) async throws {
      try await withServer(options) { server in
        let kept = try await server.create(.named("kept", .block()))
        let lost = try await server.create(.named("lost", .block()))
        let keptSnapshot = try await server.snapshot("kept-s", of: kept)
        let lostSnapshot = try await server.snapshot("lost-s", of: lost)
        let group = try await server.call(
          Methods.createVolumeGroupSnapshot, .init(name: "g", sourceVolumeIDs: [kept.volumeID, lost.volumeID]))
        let orphans = Orphans(
          kept: kept.volumeID, lost: lost.volumeID, keptSnapshot: keptSnapshot.snapshotID,
          lostSnapshot: lostSnapshot.snapshotID, group: try #require(group.groupSnapshot).groupSnapshotID)
        try await body(server, GC(server: server), orphans)
        let left = try await server.call(Methods.listSnapshots, .init()).entries.compactMap(\.snapshot)
        for (group, members) in Dictionary(grouping: left, by: \.groupSnapshotID) where !group.isEmpty {
          try await server.call(
            Methods.deleteVolumeGroupSnapshot,
            .init(groupSnapshotID: group, snapshotIDs: members.map(\.snapshotID)))
        }
        for snapshot in left where snapshot.groupSnapshotID.isEmpty { try await server.delete(snapshot) }
        for id in try await server.volumeIDs() {
          try await server.call(Methods.deleteVolume, .init(volumeID: id))
        }
      }
    }

    @Test func `orphans are reported and left alone without being asked to delete`() async throws {
      try await withOrphans { server, gc, ids in
        try Files.write(ids.known, to: gc.references)
        let (status, output) = try await gc.run("--state", gc.state)
        #expect(status == 0, "all are in grace: \(output)")
        for id in [ids.lost, ids.lostSnapshot, ids.group] { #expect(output.contains("\(id) "), "\(output)") }
        #expect(!output.contains(ids.kept) && !output.contains(ids.keptSnapshot))
        #expect(output.contains("in grace") && !output.contains("due"))
        let (again, due) = try await gc.run("--state", gc.state, "--grace", "0")
        #expect(again == 4, "\(due)")
        #expect(try await server.volumeIDs() == ids.volumes)
        #expect(try await server.snapshotIDs().count == 4)
      }
    }

    @Test func `what is due is deleted, groups as a whole, and the rest stays`() async throws {
      try await withOrphans { server, gc, ids in
        try Files.write(ids.known, to: gc.references)
        let (first, early) = try await gc.run("--state", gc.state, "--delete")
        #expect(first == 0, "\(early)")
        #expect(try await server.volumeIDs() == ids.volumes)
        try gc.backdate(by: 25 * 3600)
        let (second, output) = try await gc.run("--state", gc.state, "--delete", "-o", "json")
        #expect(second == 0, "\(output)")
        #expect(output.contains(#""deleted""#) && !output.contains(#""failed""#))
        #expect(try await server.volumeIDs() == [ids.kept])
        #expect(try await server.snapshotIDs() == [ids.keptSnapshot])
        #expect(!Files.text(gc.state).contains(ids.lost), "what is gone is forgotten")
      }
    }

    @Test func `what is referenced again begins anew`() async throws {
      try await withOrphans { server, gc, ids in
        try Files.write(ids.known + "\(ids.group)\n\(ids.lostSnapshot)\n", to: gc.references)
        _ = try await gc.run("--state", gc.state)
        try gc.backdate(by: 25 * 3600)
        try Files.write(ids.known + "\(ids.group)\n\(ids.lostSnapshot)\n\(ids.lost)\n", to: gc.references)
        let (status, output) = try await gc.run("--state", gc.state, "--delete")
        #expect(status == 0 && output.contains("no orphans"), "\(output)")
        truncate(gc.references, 0)
        try Files.write(ids.known + "\(ids.group)\n\(ids.lostSnapshot)\n", to: gc.references)
        _ = try await gc.run("--state", gc.state, "--delete")
        #expect(try await server.volumeIDs() == ids.volumes)
      }
    }

    @Test func `what is in use stays and the run says that it failed`() async throws {
      try await withOrphans { server, gc, ids in
        try Files.write(ids.known, to: gc.references)
        let lost = Volume(capacityBytes: mib(16), volumeID: ids.lost)
        let node = NodeVolume(server, lost, .block())
        try await node.whilePublished { _ in
          let (status, output) = try await gc.run("--grace", "0", "--delete")
          #expect(status == 1, "\(output)")
          #expect(output.contains("FAILED_PRECONDITION"))
        }
        #expect(try await server.volumeIDs() == ids.volumes)
        // Attached: never an orphan.
        try await server.call(
          Methods.controllerPublishVolume, .init(volumeID: ids.lost, nodeID: "node-1", volumeCapability: .block()))
        let (status, output) = try await gc.run("--grace", "0", "--delete")
        #expect(status == 0 && output.contains("no orphans"), "\(output)")
        try await server.call(Methods.controllerUnpublishVolume, .init(volumeID: ids.lost, nodeID: "node-1"))
      }
    }

    @Test func `inline volumes of pods are never orphans`() async throws {
      try await withServer { server in
        let gc = GC(server: server)
        let request = NodePublishVolumeRequest(
          volumeID: "csi-inline", targetPath: server.work + "/inline", volumeCapability: .mount(),
          volumeContext: ["csi.storage.k8s.io/ephemeral": "true"])
        try await server.call(Methods.nodePublishVolume, request)
        try Files.write("another\n", to: gc.references)
        let (status, output) = try await gc.run("--grace", "0", "--delete")
        #expect(status == 0 && output.contains("no orphans"), "\(output)")
        try await server.call(
          Methods.nodeUnpublishVolume, .init(volumeID: "csi-inline", targetPath: server.work + "/inline"))
      }
    }

    @Test func `references to nothing are refused unless they are said to be right`() async throws {
      try await withOrphans { server, gc, ids in
        for text in ["", #"{"kind":"List","items":[]}"#] {
          truncate(gc.references, 0)
          try Files.write(text, to: gc.references)
          let (status, output) = try await gc.run("--grace", "0", "--delete")
          #expect(status == 2, "\(output)")
        }
        // Volumes were asked for, snapshots were not.
        let source = #"{"driver":"\#(Server.driverName)","volumeHandle":"\#(ids.kept)"}"#
        let known = #"{"kind":"PersistentVolume","spec":{"csi":\#(source)}}"#
        try Files.write(known, to: gc.references)
        let (status, output) = try await gc.run("--grace", "0", "--delete")
        #expect(status == 0 && output.contains("not judged"), "\(output)")
        #expect(try await server.volumeIDs() == [ids.kept])
        #expect(try await server.snapshotIDs().count == 4)
        truncate(gc.references, 0)
        let (all, _) = try await gc.run("--grace", "0", "--delete", "--allow-no-references")
        #expect(all == 0)
        #expect(try await server.volumeIDs().isEmpty)
        #expect(try await server.snapshotIDs().isEmpty)
      }
    }

    @Test func `wrong arguments, a foreign state and an absent driver have statuses of their own`() async throws {
      try await withServer { server in
        let gc = GC(server: server)
        try Files.write("x\n", to: gc.references)
        #expect(try await gc.run("--delete").0 == 2, "a time of grace needs a state file")
        try Files.write("{}", to: gc.state)
        #expect(try await gc.run("--state", gc.state).0 == 2)
        #expect(Files.text(gc.state) == "{}")
        #expect(try await gc.run("--references", "/nonexistent").0 == 2)
        #expect(try await gc.run("--endpoint", server.sockets + "/nobody.sock").0 == 3)
      }
    }

    @Test func `the server counts orphans for its metrics`() async throws {
      let file = "/tmp/stow-references-\(getpid())"
      defer { unlink(file) }
      let environment = ["STOWAGE_REFERENCES": file].merging(Metrics.environment) { $1 }
      try await withOrphans(ServerOptions(environment: environment)) { server, _, ids in
        try Files.write(ids.known, to: file)
        let metrics = try await Metrics.read()
        for (kind, count) in [("volume", 1), ("snapshot", 1), ("group-snapshot", 1)] {
          let line = #"stowage_orphans{backend="\#(Backend.underTest)",kind="\#(kind)"} \#(count)"#
          #expect(metrics.contains(line), "\(metrics)")
        }
      }
    }
  }
}

/// Runs of `stowage gc` with files of their own.
private struct GC {
  let server: Server
  var references: String { server.directory + "/references" }
  var state: String { server.directory + "/gc.json" }

  func run(_ arguments: String...) async throws -> (Int32, String) {
    try await Program.run(
      [Server.binary, "gc", "--endpoint", server.socket, "--references", references] + arguments)
  }

  /// Lets everything have been seen so many seconds earlier.
  func backdate(by seconds: Int) throws {
    let text = Files.text(state).replacing(#/"first_seen": ?(\d+)/#) { match in
      #""first_seen": \#((Int(match.1) ?? 0) - seconds)"#
    }
    truncate(state, 0)
    try Files.write(text, to: state)
  }
}
