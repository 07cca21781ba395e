import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct LVMBackendTests {
    private func spec(
      _ name: String, _ mib: Int64 = 32, _ type: FilesystemType? = nil, parameters: [String: String] = [:]
    ) throws -> VolumeSpec {
      let access: VolumeCapability.Access = type.map { .mount(MountCapability(filesystem: $0)) } ?? .block
      return VolumeSpec(
        name: name, capacity: try CapacityRange(requiredBytes: mib << 20, limitBytes: 0),
        capabilities: [VolumeCapability(access, .singleNodeWriter)], parameters: parameters)
    }

    @Test func `a thin volume costs one LVM command for each change and none to look at`() async throws {
      try await BackendHost.use(.thin) { host in
        try await host.serving { backend in
          var report: [String] = []
          func cost<T>(_ what: String, _ commands: Int, _ body: () async throws -> T) async throws -> T {
            let before = backend.commands
            let began = ContinuousClock.now
            let value = try await body()
            let took = (ContinuousClock.now - began) / .milliseconds(1)
            #expect(backend.commands - before == commands, "\(what)")
            report.append("\(what) \(backend.commands - before) commands \(Int(took)) ms")
            return value
          }
          let volume = try await cost("create", 1) { try await backend.createVolume(spec("cost")) }
          _ = try await cost("create again", 0) { try await backend.createVolume(spec("cost")) }
          _ = try await cost("connect", 1) { try await backend.connect(volume.id, NodeConnection()) }
          _ = try await cost("connect again", 0) { try await backend.connect(volume.id, NodeConnection()) }
          _ = try await cost("connected", 0) { try await backend.connected(volume.id) }
          _ = try await cost("format state", 1) { try await backend.setFormatState(.formatted, for: volume.id) }
          _ = try await cost("expand", 1) {
            try await backend.expand(
              volume.id, to: CapacityRange(requiredBytes: 64 << 20, limitBytes: 0), secrets: .none)
          }
          _ = try await cost("refresh", 0) { try await backend.refreshSize(volume.id) }
          _ = try await cost("capacity", 0) { try await backend.capacity(CapacityQuery()) }
          _ = try await cost("list", 0) { try await backend.volumes(after: nil, limit: 10) }
          _ = try await cost("get", 0) { try await backend.volume(volume.id) }
          _ = try await cost("readiness", 0) { try await backend.checkReadiness() }
          _ = try await cost("disconnect", 1) { try await backend.disconnect(volume.id) }
          _ = try await cost("disconnect again", 0) { try await backend.disconnect(volume.id) }
          _ = try await cost("delete", 1) { try await backend.deleteVolume(volume.id, secrets: .none) }
          print(report.joined(separator: "\n"))
        }
      }
    }

    @Test(
      arguments: [(.thin, .ext4), (.thin, .xfs), (.linear, .ext4), (.linear, .xfs)]
        as [(BackendHost.Kind, FilesystemType)])
    func `a mounted volume is neither deleted nor disconnected`(
      _ kind: BackendHost.Kind, _ type: FilesystemType
    ) async throws {
      try await BackendHost.use(kind) { host in
        try await host.serving { backend in
          let volume = try await backend.createVolume(spec("mounted", 310, type))
          guard case .block(let device) = try await backend.connect(volume.id, NodeConnection()) else { return }
          #expect(try DeviceContent.probe(device) == .empty)
          try await TestGroup.run(["mkfs.\(type.rawValue)", device])
          let place = host.group.runtimeDirectory + "/mnt"
          try HostPath.createDirectory(place)
          try Mount.filesystem(device, at: place, type: type.rawValue, options: [])
          for (what, call) in [
            ("delete", { try await backend.deleteVolume(volume.id, secrets: .none) }),
            ("disconnect", { try await backend.disconnect(volume.id) }),
          ] as [(String, () async throws -> Void)] {
            await #expect("\(what)") {
              try await call()
            } throws: { error in
              guard case StorageError.precondition(let message) = error else { return false }
              return message.contains(place)
            }
          }
          #expect(try await backend.connected(volume.id) == .block(device: device))
          try Mount.unmount(place)
          try await backend.disconnect(volume.id)
          #expect(try await backend.connected(volume.id) == nil)
          try await backend.deleteVolume(volume.id, secrets: .none)
          #expect(try await host.volumes() == [])
        }
      }
    }

    @Test func `a thick volume's bytes are gone when the next one has its space`() async throws {
      for wipe in [DeviceClass.Wipe.delete, .create] {
        try await BackendHost.use(.linear, wipe: wipe) { host in
          try await host.serving { backend in
            let first = try await backend.createVolume(spec("first"))
            try await fill(backend, first.id)
            try await backend.deleteVolume(first.id, secrets: .none)
            let second = try await backend.createVolume(spec("second"))
            guard case .block(let device) = try await backend.connect(second.id, NodeConnection()) else { return }
            #expect(try zeroes(device, 32 << 20), "\(wipe)")
            try await backend.disconnect(second.id)
            try await backend.deleteVolume(second.id, secrets: .none)
          }
        }
      }
    }

    @Test func `growth of a thick volume that wipes at creation shows zeroes`() async throws {
      try await BackendHost.use(.linear, wipe: .create) { host in
        try await host.serving { backend in
          let old = try await backend.createVolume(spec("old", 64))
          try await fill(backend, old.id)
          try await backend.deleteVolume(old.id, secrets: .none)
          let volume = try await backend.createVolume(spec("grows", 16))
          let range = try CapacityRange(requiredBytes: 48 << 20, limitBytes: 0)
          guard case .block = try await backend.connect(volume.id, NodeConnection()) else { return }
          await #expect(throws: StorageError.self) { try await backend.expand(volume.id, to: range, secrets: .none) }
          #expect(try await backend.volume(volume.id)?.capacity == .mib(16))
          try await backend.disconnect(volume.id)
          let grown = try await backend.expand(volume.id, to: range, secrets: .none)
          #expect(grown == Expansion(capacity: .mib(48), needsNode: false))
          guard case .block(let device) = try await backend.connect(volume.id, NodeConnection()) else { return }
          #expect(try zeroes(device, 48 << 20))
          try await backend.disconnect(volume.id)
          try await backend.deleteVolume(volume.id, secrets: .none)
        }
      }
    }

    @Test func `nobody gets to see a growth that a crash left unwiped, and a repeat of the expansion wipes it`()
      async throws
    {
      try await BackendHost.use(.linear, wipe: .create) { host in
        try await host.serving { backend in
          let old = try await backend.createVolume(spec("old", 64))
          try await fill(backend, old.id)
          try await backend.deleteVolume(old.id, secrets: .none)
          let volume = try await backend.createVolume(spec("grows", 16, .ext4))
          let path = "\(host.group.name)/\(volume.id.rawValue.prefix { $0 != "@" })"
          // What a death between the growing and the wiping leaves.
          try await TestGroup.run(["lvchange", "--addtag", "csi.wiped=\(16 << 20)", path])
          try await TestGroup.run(["lvextend", "-L", "48m", path])
          await #expect(throws: StorageError.self) { try await backend.connect(volume.id, NodeConnection()) }
          await #expect(throws: StorageError.self) { try await backend.refreshSize(volume.id) }
          let range = try CapacityRange(requiredBytes: 48 << 20, limitBytes: 0)
          let grown = try await backend.expand(volume.id, to: range, secrets: .none)
          #expect(grown.capacity == .mib(48))
          guard case .block(let device) = try await backend.connect(volume.id, NodeConnection()) else { return }
          #expect(try zeroes(device, 48 << 20))
          try await backend.disconnect(volume.id)
          try await backend.deleteVolume(volume.id, secrets: .none)
        }
      }
    }

    @Test func `a metadata area that is nearly full takes no more volumes, and lets those that are there live and go`()
      async throws
    {
      try await BackendHost.use(.thin) { host in
        try await host.serving { backend in
          let volume = try await backend.createVolume(spec("before"))
          let free = try await TestGroup.run(
            ["vgs", "--noheadings", "--nosuffix", "--units", "b", "-o", "vg_mda_free", host.group.name])
          let room = try #require(Int(free.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""))
          // An administrator's tags, of 1 004 bytes each with what LVM writes around them.
          let tags = (0..<(room - 3000) / 1004).map { "x\($0 + 1000)" + String(repeating: "y", count: 995) }
          try await TestGroup.run(["vgchange"] + tags.flatMap { ["--addtag", $0] } + [host.group.name])

          await #expect {
            _ = try await backend.createVolume(spec("after"))
          } throws: {
            guard case StorageError.exhausted(let text) = $0 else { return false }
            return text.contains("metadata area")
          }
          #expect(try await backend.capacity(CapacityQuery()).available == .zero)
          #expect(try await backend.volume(volume.id) == volume)
          _ = try await backend.connect(volume.id, NodeConnection())
          try await backend.disconnect(volume.id)
          try await backend.deleteVolume(volume.id, secrets: .none)
          #expect(try await host.volumes().isEmpty)

          try await TestGroup.run(["vgchange"] + tags.prefix(50).flatMap { ["--deltag", $0] } + [host.group.name])
          let after = try await backend.createVolume(spec("after"))
          try await backend.deleteVolume(after.id, secrets: .none)
        }
      }
    }

    @Test func `the disks below a pool that passes discards on hear of a deleted volume`() async throws {
      // A disk that takes discards: a loop device over a file in memory.
      let file = "/dev/shm/stowage-discards-\(getpid())"
      try await TestGroup.run(["truncate", "-s", "512M", file])
      defer { unlink(file) }
      let disk = try await TestGroup.run(["losetup", "--find", "--show", file]).trimmed
      let group = "discards"
      try await TestGroup.run(["vgcreate", group, disk])
      try await TestGroup.run(["lvcreate", "--type", "thin-pool", "-L", "256M", "-n", "pool", group])
      let directory = "/tmp/stowage-discards-\(getpid())"
      let backend = LVMBackend(
        try LVMBackendConfiguration(
          name: BackendName(validating: "lvm"), nodeID: NodeID("here"),
          classes: [DeviceClass(name: "thin", volumeGroup: group, layout: .thin(pool: "pool"))],
          executable: TestGroup.stowage, runtimeDirectory: directory))
      try await backend.prepare()
      let volume = try await backend.createVolume(spec("v", 64))
      let before = try FileAttributes.of(file).allocated
      do {
        let device = try RawDevice(try await backend.device(volume.id))
        for part in 0..<32 { try device.write(0x77, at: Int64(part) << 20, 1 << 20) }
      }
      try await backend.disconnect(volume.id)
      #expect(try FileAttributes.of(file).allocated >= before + 32 << 20)
      let commands = backend.commands
      try await backend.deleteVolume(volume.id, secrets: .none)
      #expect(backend.commands - commands == 3, "mark, activate, remove")
      #expect(try FileAttributes.of(file).allocated < before + 16 << 20)
      #expect(try await backend.volume(volume.id) == nil)
      await backend.close()
      try await TestGroup.run(["vgremove", "-y", "-ff", group])
      try await TestGroup.run(["losetup", "--detach", disk])
      try await TestGroup.run(["rm", "-rf", directory])
    }

    @Test func `a group that moved to another node keeps its volumes, their ids and their bytes`() async throws {
      try await BackendHost.use(.thin) { host in
        let (volume, snapshot) = try await host.serving { backend in
          let volume = try await backend.createVolume(spec("v"))
          try RawDevice(try await backend.device(volume.id)).write(number: 0x5a5a_a5a5, at: 1 << 20)
          let snapshot = try await backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
          try await backend.disconnect(volume.id)
          return (volume, snapshot)
        }
        // As docs/lvm.md says it.
        try await TestGroup.run(["vgchange", "-an", host.group.name])
        try await TestGroup.run(["vgexport", host.group.name])
        try await TestGroup.run(["vgimport", host.group.name])
        try await host.serving(on: NodeID("there")) { backend in
          #expect(try await backend.volume(volume.id)?.id == volume.id)
          #expect(try await backend.snapshot(snapshot.id)?.source == volume.id)
          // An id of the new node for what was made on the old one is nobody's.
          let other = NativeID(volume.id.rawValue.replacing("@here", with: "@there"))
          #expect(try await backend.volume(other) == nil)
          #expect(try RawDevice(try await backend.device(volume.id)).number(at: 1 << 20) == 0x5a5a_a5a5)
          try await backend.disconnect(volume.id)
          let copy = try await backend.createVolume(
            VolumeSpec(
              name: "c", capacity: .unspecified, capabilities: try spec("c").capabilities,
              source: .snapshot(snapshot.id)))
          #expect(copy.id.rawValue.hasSuffix("@there"))
          try await backend.deleteVolume(copy.id, secrets: .none)
          try await backend.deleteSnapshot(snapshot.id, secrets: .none)
          try await backend.deleteVolume(volume.id, secrets: .none)
        }
        #expect(try await host.volumes().isEmpty)
      }
    }

    @Test func `damaged tags are told of, others' volumes are left alone, and other nodes keep theirs`() async throws {
      try await BackendHost.use(.thin) { host in
        try await host.serving { backend in
          let volume = try await backend.createVolume(spec("mine"))
          let other = try await backend.createVolume(spec("other"))
          let path = "\(host.group.name)/\(volume.id.rawValue.prefix { $0 != "@" })"
          let otherPath = "\(host.group.name)/\(other.id.rawValue.prefix { $0 != "@" })"
          try await TestGroup.run(["lvchange", "--deltag", "csi.c=block", path])
          try await TestGroup.run(
            ["lvchange", "--deltag", "csi.drv=lvm", "--addtag", "csi.drv=other", otherPath])
          await #expect(throws: StorageError.self) { try await backend.volume(volume.id) }
          await #expect(throws: StorageError.self) { try await backend.volume(named: "mine") }
          await #expect(throws: StorageError.self) { try await backend.deleteVolume(volume.id, secrets: .none) }
          #expect(try await backend.volume(other.id) == nil)
          #expect(try await backend.volumes(after: nil, limit: 10) == [])
          try await backend.deleteVolume(other.id, secrets: .none)
          #expect(try await host.volumes().count == 2)
          let away = NativeID("\(volume.id.rawValue.prefix { $0 != "@" }.dropLast())a@elsewhere")
          #expect(try await backend.volume(away) == nil)
          await #expect {
            try await backend.deleteVolume(away, secrets: .none)
          } throws: {
            guard case StorageError.precondition(let message) = $0 else { return false }
            return message.contains("elsewhere")
          }
          await #expect {
            var copy = try spec("copy")
            copy.source = .volume(away)
            _ = try await backend.createVolume(copy)
          } throws: {
            if case StorageError.exhausted = $0 { true } else { false }
          }
        }
      }
    }

    @Test func `a pool that does not zero is refused`() async throws {
      try await BackendHost.use(.thin) { host in
        try await TestGroup.run(["lvchange", "--zero", "n", "\(host.group.name)/\(host.group.pool)"])
        await #expect(throws: StorageError.self) { try await host.prepared() }
      }
    }

    private func fill(_ backend: LVMBackend, _ id: NativeID) async throws {
      guard case .block(let device) = try await backend.connect(id, NodeConnection()) else { return }
      let size = try BlockDevice.size(device).bytes >> 20
      try await TestGroup.run(
        ["sh", "-c", "tr '\\0' x < /dev/zero | dd of=\(device) bs=1M count=\(size) iflag=fullblock conv=fsync"])
      #expect(try !zeroes(device, Int(size) << 20))
      try await backend.disconnect(id)
    }

    private func zeroes(_ device: String, _ bytes: Int) throws -> Bool {
      let file = try FileContents.read(device, sizeHint: 1 << 20, limit: bytes + 1)
      return file.count == bytes
        && file.withUnsafeBytes { memory in
          guard let base = memory.baseAddress else { return true }
          return memory[0] == 0 && memcmp(base, base + 1, bytes - 1) == 0
        }
    }
  }
}
