import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct SafetyTests {
    /// The case and the message of what `body` throws.
    private func failure(_ body: () async throws -> Void) async -> String {
      do {
        try await body()
        return "nothing"
      } catch let error as StorageError {
        return switch error {
        case .invalid: "invalid"
        case .notFound: "notFound"
        case .incompatible: "incompatible"
        case .precondition: "precondition"
        case .exhausted: "exhausted"
        case .unavailable: "unavailable"
        default: "\(error)"
        }
      } catch {
        return "\(error)"
      }
    }

    @Test func `hostile names and tags are refused before LVM sees them`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let names = [
            "", "-a", "a b", "a/b", "../a", ".", "..", "a\"b", "a'b", "a\nb", "a;b", "$(a)", "--config", "snapshot1",
            "pvmove0", "a_tdata", "lvol0_pmspare", "ä", String(repeating: "a", count: 128), "@tag", "a%b",
          ]
          for name in names {
            #expect(await failure { _ = try await lvm.create(test.thin(name)) } == "invalid", "\(name)")
            #expect(await failure { _ = try await lvm.create(test.snapshot("ok", of: name)) } == "invalid", "\(name)")
            #expect(await failure { try await lvm.remove(test.path(name)) } == "invalid", "\(name)")
            #expect(await failure { try await lvm.extend(test.path(name), to: .mib(8)) } == "invalid", "\(name)")
            #expect(await failure { try await lvm.activate(test.path(name)) } == "invalid", "\(name)")
            #expect(await failure { try await lvm.deactivate(test.path(name)) } == "invalid", "\(name)")
            #expect(await failure { try await lvm.rename(test.path("a"), to: name) } == "invalid", "\(name)")
          }
          for tag in ["", "-x", "a b", "a\"", "a,b", "@a", "a%", "ä", String(repeating: "t", count: 1025)] {
            #expect(await failure { _ = try await lvm.create(test.thin("ok", tags: [tag])) } == "invalid", "\(tag)")
            #expect(
              await failure { try await lvm.changeTags(of: test.path("a"), adding: [tag], removing: []) } == "invalid")
          }
          let many = Set((0..<40).map { "t\($0)" })
          #expect(await failure { _ = try await lvm.create(test.thin("ok", tags: many)) } == "invalid")
          #expect(lvm.commands == 1)
        }
      }
    }

    @Test func `longest tags and all characters that tags may have come back as they were`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          // More than 4 KiB in all: LVM cuts the lines that it gives to a log function.
          let long = Set((0..<8).map { "l\($0)=" + String(repeating: "x", count: 1000) })
          let tags = long.union([
            "csi.n=" + String(repeating: "=41", count: 339), "aZ09_.+/=!:&#-", "csi.p=a:b/c#d&e!f",
          ])
          _ = try await lvm.create(test.thin("csi_a", tags: tags))
          lvm.invalidate(test.name)
          #expect(try await lvm.volume(test.path("csi_a"))?.tags == tags)
        }
      }
    }

    @Test func `errors say what a caller can do about them`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          #expect(await failure { _ = try await lvm.create(test.thin("csi_a")) } == "incompatible")
          #expect(await failure { _ = try await lvm.create(test.snapshot("css_a", of: "none")) } == "notFound")
          #expect(await failure { try await lvm.extend(test.path("none"), to: .gib(1)) } == "notFound")
          #expect(await failure { try await lvm.rename(test.path("none"), to: "csi_b") } == "notFound")
          #expect(await failure { try await lvm.activate(test.path("none")) } == "notFound")
          let large = NewLogicalVolume(test.path("csi_l"), size: .gib(500), kind: .linear, tags: [])
          #expect(await failure { _ = try await lvm.create(large) } == "exhausted")
          let mirrored = NewLogicalVolume(test.path("csi_r"), size: .mib(8), kind: .raid1(2), tags: [])
          #expect(await failure { _ = try await lvm.create(mirrored) } == "exhausted")
          #expect(
            await failure { try await lvm.extendPool(test.path(test.pool), data: .tib(1), metadata: nil) }
              == "exhausted")
          #expect(await failure { try await lvm.remove(test.path(test.pool)) } == "precondition")
        }
      }
    }

    @Test func `a volume in use is neither removed nor deactivated`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let path = test.path("csi_a")
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(path)
          try await Filesystem.make(.ext4, on: DeviceMapper.devicePath(of: path), options: [])
          let mounted = test.runtimeDirectory + "/mounted"
          try HostPath.createDirectory(mounted)
          try Mount.filesystem(DeviceMapper.devicePath(of: path), at: mounted, type: "ext4", options: [])
          let commands = lvm.commands
          #expect(await failure { try await lvm.remove(path) } == "precondition")
          #expect(await failure { try await lvm.deactivate(path) } == "precondition")
          #expect(lvm.commands == commands)
          try Mount.unmount(mounted)
          try await lvm.remove(path)
          #expect(try DeviceMapper.info(path) == nil)
        }
      }
    }

    @Test func `an administrator's snapshot of a thick volume keeps it from being removed`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(NewLogicalVolume(test.path("csi_l"), size: .mib(16), kind: .linear, tags: []))
          try await TestGroup.run(["lvcreate", "-s", "-L", "8M", "-n", "theirs", "\(test.path("csi_l"))"])
          #expect(await failure { try await lvm.remove(test.path("csi_l")) } == "precondition")
          #expect(try await test.lvs("theirs", "origin") == "csi_l")
        }
      }
    }

    @Test func `two groups of one name are refused, and nothing in either changes`() async throws {
      try await TestGroup.use { test in
        let disk = try #require(test.spareDisks.first)
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          try await TestGroup.run(["vgcreate", "other", disk])
          let hidden = "devices{global_filter=[\"a|^\(disk)$|\",\"r|.*|\"]}"
          try await TestGroup.run(["vgrename", "--config", hidden, "other", test.name])
          #expect(await failure { _ = try await lvm.group(test.name) } == "precondition")
          #expect(await failure { _ = try await lvm.create(test.thin("csi_b")) } == "precondition")
          #expect(await failure { try await lvm.remove(test.path("csi_a")) } == "precondition")
          let second = LVM(test.settings())
          await lvm.close()
          #expect(await failure { try await second.start() } == "precondition")
          await second.close()
        }
        let groups = try await TestGroup.run(["vgs", "--noheadings", "-o", "vg_name,lv_count"])
        #expect(groups.split(separator: "\n").filter { $0.contains("vg0 2") || $0.contains("vg0   2") }.count == 1)
      }
    }

    @Test func `a group with another uuid than the configured one is not ours`() async throws {
      try await TestGroup.use { test in
        var settings = test.settings()
        settings.groups = [test.name: "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"]
        let lvm = LVM(settings)
        #expect(await failure { try await lvm.start() } == "precondition")
        await lvm.close()
        settings.groups = ["missing": nil]
        let none = LVM(settings)
        #expect(await failure { try await none.start() } == "unavailable")
        await none.close()
      }
    }

    @Test func `a full metadata area is told as such`() async throws {
      try await TestGroup.use(pool: nil) { test in
        let disk = try #require(test.spareDisks.first)
        try await TestGroup.run(["pvcreate", "-y", "--metadatasize", "64k", disk])
        try await TestGroup.run(["vgcreate", "small", disk])
        var settings = test.settings()
        settings.groups = ["small": nil]
        try await test.started(settings) { lvm in
          var told = "nothing"
          let long = Set((0..<20).map { "t\($0)=" + String(repeating: "x", count: 1000) })
          for number in 0..<8 where told == "nothing" {
            let order = NewLogicalVolume(LVPath("small", "csi_\(number)"), size: .mib(4), kind: .linear, tags: long)
            told = await failure { _ = try await lvm.create(order) }
          }
          #expect(told == "exhausted")
        }
        try await TestGroup.run(["vgremove", "-y", "-ff", "small"])
      }
    }
  }

  @Suite struct KernelTests {
    @Test func `the kernel tells what of a volume and of its pool is used`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let (path, pool) = (test.path("csi_a-b"), test.path(test.pool))
          _ = try await lvm.create(test.thin(path.name))
          #expect(DeviceMapper.name(of: path) == "vg0-csi_a--b")
          #expect(try DeviceMapper.info(path) == nil)
          #expect(try DeviceMapper.mapped(path) == nil)
          try await lvm.activate(path)
          let info = try #require(try DeviceMapper.info(path))
          let group = try await lvm.group(test.name)
          let uuids = [try #require(group.volumes[path.name]).uuid, try #require(group.volumes[test.pool]).uuid]
          #expect(info.isVolume(uuids[0], ofGroup: group.uuid))
          #expect(!info.isVolume(uuids[1], ofGroup: group.uuid))
          #expect(!info.isSuspended && !info.isReadOnly && info.openCount == 0)
          #expect(try DeviceMapper.mapped(path) == .zero)
          let before = try #require(try DeviceMapper.poolStatus(pool))
          #expect(before.mode == .writable && !before.needsCheck && before.totalData == .gib(1))
          try await TestGroup.run(
            ["dd", "if=/dev/urandom", "of=\(DeviceMapper.devicePath(of: path))", "bs=1M", "count=8", "conv=fsync"])
          #expect(try DeviceMapper.mapped(path) == .mib(8))
          let after = try #require(try DeviceMapper.poolStatus(pool))
          #expect(after.usedData == before.usedData + .mib(8))
          #expect(after.transactionID == group.volumes[test.pool]?.pool?.transactionID)
          #expect(lvm.commands == 3)
        }
      }
    }

    @Test func `a pool takes messages`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let pool = test.path(test.pool)
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(test.path("csi_a"))
          try DeviceMapper.message("reserve_metadata_snap", toPool: pool)
          #expect(try DeviceMapper.poolStatus(pool)?.holdsMetadataSnapshot == true)
          #expect(throws: StorageError.self) { try DeviceMapper.message("reserve_metadata_snap", toPool: pool) }
          try DeviceMapper.message("release_metadata_snap", toPool: pool)
          #expect(try DeviceMapper.poolStatus(pool)?.holdsMetadataSnapshot == false)
          #expect(throws: StorageError.self) { try DeviceMapper.message("x", toPool: test.path("none")) }
        }
      }
    }

    @Test func `many threads ask the kernel at once`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(test.path("csi_a"))
          try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<8 {
              tasks.addTask {
                for _ in 0..<50 {
                  let info = try DeviceMapper.info(test.path("csi_a"))
                  let status = try DeviceMapper.poolStatus(test.path(test.pool))
                  #expect(info != nil)
                  #expect(status?.mode == .writable)
                }
              }
            }
            try await tasks.waitForAll()
          }
        }
      }
    }
  }
}
