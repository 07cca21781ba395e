import CSI
import Testing

extension Conformance {
  /// What a volume's life costs the node, counted by the server: programs, and commands of the storage system.
  @Suite struct Budgets {
    /// The most that one step may cost.
    private func step(
      _ what: String, programs: Int = 0, commands: Int = 0, _ work: () async throws -> Void
    ) async throws {
      let before = try await cost()
      try await work()
      let after = try await cost()
      #expect(after.programs - before.programs <= programs, "programs for: \(what)")
      #expect(after.commands - before.commands <= commands, "commands for: \(what)")
    }

    private func cost() async throws -> (programs: Int, commands: Int) {
      (
        try await Metrics.value("stowage_programs_started_total"),
        Backend.underTest == .lvm ? try await Metrics.value("stowage_backend_commands_total") : 0
      )
    }

    @Test func `a volume's life costs one program, which formats it, and a command for each change`() async throws {
      try await withServer(ServerOptions(environment: Metrics.environment)) { server in
        let xfs = VolumeCapability.mount("xfs")
        var node: NodeVolume!
        try await step("create", commands: 1) {
          node = NodeVolume(server, try await server.create(.named("v", bytes: mib(320), xfs)), xfs)
        }
        let volume = node.volume
        try await step("attach", commands: 1) {
          try await server.call(
            Methods.controllerPublishVolume,
            .init(volumeID: volume.volumeID, nodeID: "node-1", volumeCapability: xfs))
        }
        // One to connect it, two to note that formatting begins and that it has ended.
        try await step("first stage", programs: 1, commands: 3) { try await node.stage() }
        try await step("publish") { try await node.publish() }
        try await step("look") {
          try await server.call(
            Methods.nodeGetVolumeStats, .init(volumeID: volume.volumeID, volumePath: node.target()))
          try await server.call(Methods.getCapacity, .init())
          try await server.call(Methods.probe, .init())
          #expect(try await server.volumeIDs() == [volume.volumeID])
        }
        // Where volumes are files, a file system in use is frozen by a guard.
        var snapshot: Snapshot!
        try await step("snapshot", programs: Backend.underTest == .lvm ? 0 : 1, commands: 1) {
          snapshot = try await server.snapshot("s", of: volume)
        }
        var copy: Volume!
        try await step("restore", commands: 1) {
          copy = try await server.create(.named("r", bytes: mib(320), xfs, from: .snapshot(snapshot.snapshotID)))
        }
        try await step("expand", commands: 1) {
          try await server.call(
            Methods.controllerExpandVolume,
            .init(volumeID: volume.volumeID, capacityRange: .atLeast(mib(384)), volumeCapability: xfs))
        }
        try await step("expand on the node") {
          try await server.call(
            Methods.nodeExpandVolume,
            .init(volumeID: volume.volumeID, volumePath: node.target(), capacityRange: .atLeast(mib(384))))
        }
        try await step("another stage", commands: 2) {
          try await node.unpublish()
          try await node.unstage()
          try await node.stage()
        }
        try await node.unstage()
        try await step("detach", commands: 1) {
          try await server.call(
            Methods.controllerUnpublishVolume, .init(volumeID: volume.volumeID, nodeID: "node-1"))
        }
        try await step("delete", commands: 3) {
          try await server.delete(copy)
          try await server.delete(snapshot)
          try await server.delete(volume)
        }
      }
    }

    @Test func `an hour of looking at a node that does nothing costs no command and no program`() async throws {
      try await withServer(ServerOptions(environment: Metrics.environment)) { server in
        var volumes: [Volume] = []
        for number in 0..<100 {
          volumes.append(try await server.create(.named("v\(number)", bytes: mib(4), .block())))
        }
        try await step("an hour") {
          // As often as the sidecars and the kubelet ask: Probe, capacity, the list with conditions, statistics.
          for _ in 0..<60 {
            for _ in 0..<6 { try await server.call(Methods.probe, .init()) }
            try await server.call(Methods.getCapacity, .init())
            #expect(try await server.volumeIDs().count == volumes.count)
            try await server.call(
              Methods.controllerGetVolume, .init(volumeID: volumes[0].volumeID))
          }
        }
        for volume in volumes { try await server.delete(volume) }
      }
    }
  }
}
