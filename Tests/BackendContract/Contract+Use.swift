import Storage

extension ContractCheck {
  static let attachment = [
    ContractCheck("attaching again gives the same context, otherwise it is incompatible") { c in
      guard let backend = c.backend as? any AttachableBackend else { return }
      let volume = try await c.create("attached")
      func attach(_ capability: VolumeCapability, readOnly: Bool) async throws -> [String: String] {
        try await backend.attach(volume.id, to: c.node, capability: capability, readOnly: readOnly, secrets: .none)
      }
      let context = try await attach(Contract.writer, readOnly: false)
      try c.expectEqual(try await attach(Contract.writer, readOnly: false), context, "context")
      try c.expectEqual(try await backend.volume(volume.id)?.publishedNodes, [c.node], "published nodes")
      try await c.expectError("incompatible", "readonly differs") {
        _ = try await attach(Contract.writer, readOnly: true)
      }
      try await c.expectError("incompatible", "the mode differs") {
        _ = try await attach(VolumeCapability(.block, .singleNodeReaderOnly), readOnly: false)
      }
      try await c.expectError("incompatible", "mount flags differ") {
        _ = try await attach(
          VolumeCapability(.mount(MountCapability(flags: ["noatime"])), .singleNodeWriter), readOnly: false)
      }
      try await c.expectError("precondition", "delete while attached") { try await c.delete(volume) }
      try c.expect(try await backend.volume(volume.id) != nil, "the volume went away")
      try await backend.detach(volume.id, from: c.node, secrets: .none)
      try await backend.detach(volume.id, from: c.node, secrets: .none)
      try c.expectEqual(try await backend.volume(volume.id)?.publishedNodes, [], "published nodes")
      try await c.delete(volume)
      try await backend.detach(volume.id, from: c.node, secrets: .none)
    },
    ContractCheck("unknown volumes and nodes are not found; no node means all nodes") { c in
      guard let backend = c.backend as? any AttachableBackend else { return }
      let volume = try await c.create("nodes")
      try await c.expectError("notFound", "an unknown node") {
        _ = try await backend.attach(
          volume.id, to: NodeID("no-such-node"), capability: Contract.writer, readOnly: false, secrets: .none)
      }
      try await c.expectError("notFound", "an unknown volume") {
        _ = try await backend.attach(
          NativeID("no-such-volume"), to: c.node, capability: Contract.writer, readOnly: false, secrets: .none)
      }
      _ = try await backend.attach(
        volume.id, to: c.node, capability: Contract.writer, readOnly: true, secrets: .none)
      try await backend.detach(volume.id, from: NodeID("no-such-node"), secrets: .none)
      try c.expectEqual(try await backend.volume(volume.id)?.publishedNodes, [c.node], "published nodes")
      try await backend.detach(volume.id, from: nil, secrets: .none)
      try c.expectEqual(try await backend.volume(volume.id)?.publishedNodes, [], "published nodes")
      try await c.delete(volume)
    },
  ]

  static let node = [
    ContractCheck("a connected volume is one device of its size until it is disconnected") { c in
      guard let node = c.backend as? any NodeBackend else { return }
      let volume = try await c.create("device")
      try c.expect(try await node.connected(volume.id) == nil, "connected before connect")
      let source = try await node.connect(volume.id, NodeConnection())
      try c.expectEqual(try await node.connect(volume.id, NodeConnection()), source, "connecting again")
      try c.expectEqual(try await node.connected(volume.id), source, "what is connected")
      if case .block(let path) = source {
        try c.expectEqual(try Device(path).size, 16 << 20, "the device's size")
        try Device(path).write(at: 4096 * 5 + 17, Array("across".utf8))
      }
      try await c.expectError("precondition", "delete while connected") { try await c.delete(volume) }
      try await node.disconnect(volume.id)
      try await node.disconnect(volume.id)
      try c.expect(try await node.connected(volume.id) == nil, "connected after disconnect")
      if let data = try await c.withDevice(volume.id, { try $0.read(at: 4096 * 5 + 17, 6) }) {
        try c.expectEqual(data, Array("across".utf8), "data")
      }
      try await c.delete(volume)
    },
    ContractCheck("the state of a volume's file system is remembered") { c in
      guard let node = c.backend as? any NodeBackend else { return }
      let capability = VolumeCapability(.mount(MountCapability(filesystem: .ext4)), .singleNodeWriter)
      let volume = try await c.create("state", capabilities: [capability])
      try c.expectEqual(volume.content, .filesystem(.ext4), "content")
      guard try await node.formatState(volume.id) != .unrecorded else { return try await c.delete(volume) }
      try c.expectEqual(try await node.formatState(volume.id), .unformatted, "state at first")
      for state in [FormatState.formatting(.ext4), .formatted, .copied(.btrfs), .formatted] {
        try await node.setFormatState(state, for: volume.id)
        try c.expectEqual(try await node.formatState(volume.id), state, "state")
      }
      try await c.delete(volume)
    },
  ]

  static let expansion = [
    ContractCheck("expanding keeps data, never shrinks, and reaches the connected device") { c in
      guard let backend = c.backend as? any ExpandableBackend else { return }
      let volume = try await c.create("grow")
      _ = try await c.withDevice(volume.id) { try $0.write(at: (16 << 20) - 5, Array("at end".prefix(5).utf8)) }
      func expand(_ range: CapacityRange) async throws -> ByteCount {
        let expansion = try await backend.expand(volume.id, to: range, secrets: .none)
        return expansion.capacity
      }
      try c.expectEqual(try await expand(.exactly(.mib(24))), .mib(24), "capacity")
      try c.expectEqual(try await expand(.exactly(.mib(24))), .mib(24), "capacity again")
      try c.expectEqual(try await expand(.atLeast(.mib(8))), .mib(24), "a smaller target")
      try c.expectEqual(try await backend.volume(volume.id)?.capacity, .mib(24), "capacity on record")
      try await c.expectError("outOfRange", "a limit below the present size") {
        _ = try await expand(.exactly(.mib(20)))
      }
      try await c.expectError("notFound", "an unknown volume") {
        _ = try await backend.expand(NativeID("no-such"), to: .exactly(.mib(24)), secrets: .none)
      }
      if let node = c.backend as? any NodeBackend {
        _ = try await c.withDevice(volume.id) { device in
          try c.expectEqual(device.size, 24 << 20, "size at connect")
          try c.expectEqual(try device.read(at: (16 << 20) - 5, 5), Array("at en".utf8), "data")
          try c.expectEqual(try await expand(.exactly(.mib(32))), .mib(32), "online")
          try c.expectEqual(try await node.refreshSize(volume.id), .mib(32), "refreshed size")
          try c.expectEqual(device.size, 32 << 20, "size after refresh")
          try device.write(at: (32 << 20) - 512, [UInt8](repeating: 7, count: 512))
        }
      }
      try await c.delete(volume)
    },
    ContractCheck("an expansion beyond the capacity is exhausted and changes nothing") { c in
      guard let backend = c.backend as? any ExpandableBackend else { return }
      let volume = try await c.create("stuck")
      let available = try await backend.capacity(CapacityQuery()).available
      try await c.expectError("exhausted", "too much") {
        _ = try await backend.expand(
          volume.id, to: .atLeast(available + .mib(64) + volume.capacity), secrets: .none)
      }
      try c.expectEqual(try await backend.volume(volume.id), volume, "volume")
      try await c.delete(volume)
    },
  ]
}
