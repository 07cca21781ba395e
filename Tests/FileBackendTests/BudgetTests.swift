import FileBackend
import Glibc
import Host
import Storage
import Testing

extension FileBackendSuite {
  /// What operations cost, by count.
  @Suite struct BudgetTests {
    /// fsyncs, files opened and programs started by `body`.
    private func cost(
      of backend: FileBackend, _ body: () async throws -> Void
    ) async throws -> (syncs: Int, opens: Int, programs: Int) {
      let before = backend.costs
      let programs = try await HostCounters.counting(body).programs
      let after = backend.costs
      return (after.syncs - before.syncs, after.opens - before.opens, programs)
    }

    @Test(arguments: FilesystemType.allCases)
    func `operations need few fsyncs and no programs`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type, size: .mib(512)) { host in
        let backend = try await host.prepared()
        let budgets: [(String, Int, () async throws -> Void)] = [
          ("create", 4, { _ = try await backend.make("a", .mib(1)) }),
          (
            "create thick", 4,
            {
              _ = try await backend.make("t", .mib(1), block, parameters: ["provisioning": "thick"])
            }
          ),
          ("create again", 0, { _ = try await backend.make("a", .mib(1)) }),
          (
            "attach", 2,
            {
              _ = try await backend.attach(
                NativeID("a"), to: NodeID("here"), capability: block, readOnly: false, secrets: .none)
            }
          ),
          ("detach", 2, { try await backend.detach(NativeID("a"), from: nil, secrets: .none) }),
          ("detach again", 0, { try await backend.detach(NativeID("a"), from: nil, secrets: .none) }),
          ("state", 2, { try await backend.setFormatState(.formatted, for: NativeID("a")) }),
          ("state again", 0, { try await backend.setFormatState(.formatted, for: NativeID("a")) }),
          (
            "expand", 3,
            {
              let range = try CapacityRange(requiredBytes: 2 << 20, limitBytes: 0)
              _ = try await backend.expand(NativeID("a"), to: range, secrets: .none)
            }
          ),
          (
            "snapshot", 4,
            {
              _ = try await backend.createSnapshot(SnapshotSpec(name: "s", source: NativeID("a")))
            }
          ),
          ("clone", 4, { _ = try await backend.make("c", .mib(2), block, from: .snapshot(NativeID("s"))) }),
          (
            "group of two", 9,
            {
              _ = try await backend.createGroupSnapshot(
                GroupSnapshotSpec(name: "g", sources: [NativeID("a"), NativeID("c")]))
            }
          ),
          ("delete a group", 1, { try await backend.deleteGroupSnapshot(NativeID("g"), secrets: .none) }),
          ("delete a snapshot", 1, { try await backend.deleteSnapshot(NativeID("s"), secrets: .none) }),
          ("delete", 1, { try await backend.deleteVolume(NativeID("a"), secrets: .none) }),
          ("delete again", 0, { try await backend.deleteVolume(NativeID("a"), secrets: .none) }),
        ]
        for (what, syncs, body) in budgets {
          let cost = try await cost(of: backend, body)
          #expect(cost.syncs == syncs, "\(what)")
          #expect(cost.programs == 0, "\(what)")
        }
      }
    }

    @Test func `ten thousand volumes cost no more than one`() async throws {
      try await HostDirectory.use(.ext4, size: .gib(1)) { host in
        let empty = try await host.prepared(ratio: 1000)
        let range = try CapacityRange(requiredBytes: 1 << 20, limitBytes: 0)
        func life(_ backend: FileBackend) async throws -> (Int, Int) {
          let cost = try await cost(of: backend) {
            let spec = VolumeSpec(name: "m", capacity: range, capabilities: [block])
            let volume = try await backend.createVolume(spec)
            _ = try await backend.volume(volume.id)
            _ = try await backend.volume(named: "m")
            _ = try await backend.expand(
              volume.id, to: CapacityRange(requiredBytes: 2 << 20, limitBytes: 0), secrets: .none)
            try await backend.deleteVolume(volume.id, secrets: .none)
          }
          return (cost.syncs, cost.opens)
        }
        let alone = try await life(empty)
        let model = try await empty.make("model", .mib(1))
        empty.close()
        let metadata = try text("\(host.volumes)/volumes/model/volume.json")
        for number in 0..<10_000 {
          let directory = "\(host.volumes)/volumes/model-\(number)"
          #expect(mkdir(directory, 0o700) == 0)
          try write(metadata, to: directory + "/volume.json")
          let data = try Descriptor(opening: directory + "/data", O_WRONLY | O_CREAT, mode: 0o600)
          #expect(ftruncate(data.raw, 1 << 20) == 0)
        }
        let crowded = try await host.prepared(ratio: 1000)
        #expect(try await life(crowded) == alone)
        let looking = try await cost(of: crowded) {
          for number in 0..<100 {
            let found = try await crowded.volume(NativeID("model-\(number)"))
            #expect(found != nil)
          }
          let missing = try await crowded.volume(NativeID("missing"))
          #expect(missing == nil)
        }
        #expect(looking.opens == 0, "looking up opens files")
        var listed: [Volume] = []
        let listing = try await cost(of: crowded) {
          while true {
            let page = try await crowded.volumes(after: listed.last?.id, limit: 999)
            if page.isEmpty { break }
            listed += page
          }
        }
        #expect(listing.opens == 0, "listing opens files")
        #expect(listed.count == 10_001)
        #expect(listed.map(\.id) == listed.map(\.id).sorted())
        #expect(listed.contains { $0.id == model.id })
      }
    }
  }
}
