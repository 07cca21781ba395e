import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct ConditionTests {
    private func reasons(_ host: CopyHost, _ volume: Volume) async throws -> [String] {
      try await host.backend.condition(of: volume.id).problems.map(\.reason)
    }

    @Test func `a healthy volume is found so without a command or a program`() async throws {
      try await CopyHost.use { host in
        let volume = try await host.make("a")
        let look = try await host.cost {
          (try await host.backend.condition(of: volume.id), try await host.backend.recentCondition(of: volume.id))
        }
        #expect(look.result.0 == .healthy && look.result.1 == .healthy)
        #expect((look.programs, look.commands) == (0, 0))
        let pool = try await host.backend.pools()
        #expect(pool.map(\.name) == ["vg0/pool0"])
        #expect(pool.first?.totalData == .gib(1))
        await expectError("notFound") { _ = try await host.backend.condition(of: NativeID("nothing")) }
      }
    }

    @Test func `a full pool that fails writes is told of, and heals when it grows`() async throws {
      try await CopyHost.use(pool: .mib(64)) { group in
        try await TestGroup.run(["lvchange", "--errorwhenfull", "y", "\(group.path(group.pool))"])
      } _: { host in
        let volume = try await host.make("a", .mib(128))
        let path = try await host.device(volume.id)
        var failure: Int32 = 0
        do {
          let device = try RawDevice(path)
          for at in 0..<100 as Range<Int64> {
            do {
              try device.write(1, at: at << 20, 1 << 20)
            } catch {
              failure = (error as? SystemCallError)?.errno ?? 0
              break
            }
            if at == 55 { #expect(try await reasons(host, volume) == ["PoolNearlyFull"]) }
          }
        }
        #expect(failure == ENOSPC)
        #expect(try await reasons(host, volume) == ["PoolFull"])
        #expect(try await host.backend.capacity(CapacityQuery()).available == .zero)
        await expectError("exhausted") { _ = try await host.make("b") }
        try await TestGroup.run(["lvextend", "-L", "256m", "\(host.group.path(host.group.pool))"])
        #expect(try await reasons(host, volume) == [])
        do { try RawDevice(path).write(1, at: 100 << 20) }
        try await host.backend.disconnect(volume.id)
      }
    }

    @Test func `writes to a full pool wait until the monitor has grown it`() async throws {
      try await CopyHost.use(pool: .mib(64), autoExtend: .init(threshold: 90, step: 50)) { host in
        let volume = try await host.make("a", .mib(128))
        let path = try await host.device(volume.id)
        let writer = Background { _ in
          let device = try RawDevice(path)
          for at in 0..<100 as Range<Int64> { try device.write(1, at: at << 20, 1 << 20) }
        }
        try await writer.stop()
        let pool = try await host.backend.pools().first
        #expect((pool?.totalData ?? .zero) > .mib(100))
        #expect(try await reasons(host, volume) == [])
        try await host.backend.disconnect(volume.id)
      }
    }

    @Test func `metadata that are nearly full forbid copies until they grow`() async throws {
      try await CopyHost.use(pool: nil, autoExtend: nil) { group in
        try await TestGroup.run([
          "lvcreate", "--type", "thin-pool", "-L", "4g", "--poolmetadatasize", "2m", "-Zn", "-n", group.pool,
          group.name,
        ])
        try await TestGroup.run(["lvcreate", "-V", "4g", "--thinpool", group.pool, "-n", "filler", group.name])
        let device = try RawDevice(DeviceMapper.devicePath(of: group.path("filler")))
        // Downwards: leaves of the tree of mappings are then split and stay half full.
        var at = 4 << 30 as Int64
        while at > 0 {
          at -= 1 << 16
          try device.write(1, at: at)
          if at % (64 << 20) == 0, let status = try DeviceMapper.poolStatus(group.path(group.pool)),
            status.usedMetadata.bytes * 100 / status.totalMetadata.bytes >= 78
          {
            break
          }
        }
        try await TestGroup.run(["lvchange", "-Zy", "\(group.path(group.pool))"])
      } _: { host in
        let volume = try await host.make("a")
        #expect(try await reasons(host, volume) == ["PoolMetadataNearlyFull"])
        await expectError("exhausted") {
          _ = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
        }
        try await TestGroup.run(["lvextend", "--poolmetadatasize", "+8m", "\(host.group.path(host.group.pool))"])
        #expect(try await reasons(host, volume) == [])
        _ = try await host.backend.createSnapshot(SnapshotSpec(name: "s", source: volume.id))
      }
    }

    @Test func `a disk that is gone is told of, and no more when it is back`() async throws {
      let disk = try #require(TestGroup.disks.dropFirst().first, "this test needs two scratch disks")
      // Not from its beginning, or LVM would find the physical volume twice.
      let sectors = try BlockDevice.size(disk).bytes / 512 - 2048
      try await TestGroup.run(["dmsetup", "create", "test-pv", "--table", "0 \(sectors) linear \(disk) 2048"])
      let result: Result<Void, any Error>
      do {
        result = .success(try await checkLostDisk(sectors: sectors, disk: disk))
      } catch {
        result = .failure(error)
      }
      try await TestGroup.run(["dmsetup", "remove", "--retry", "test-pv"])
      try result.get()
    }

    private func replace(_ table: String) async throws {
      try await TestGroup.run(["dmsetup", "suspend", "--noflush", "test-pv"])
      try await TestGroup.run(["dmsetup", "load", "test-pv", "--table", table])
      try await TestGroup.run(["dmsetup", "resume", "test-pv"])
    }

    private func checkLostDisk(sectors: Int64, disk: String) async throws {
      try await CopyHost.use(pool: nil) { group in
        try await TestGroup.run(["vgextend", group.name, "/dev/mapper/test-pv"])
        try await TestGroup.run([
          "lvcreate", "--type", "thin-pool", "-L", "256m", "-n", group.pool, group.name, "/dev/mapper/test-pv",
        ])
      } _: { host in
        let volume = try await host.make("a")
        #expect(try await reasons(host, volume) == [])
        try await replace("0 \(sectors) error")
        // What another program sees is looked at anew.
        _ = try? await TestGroup.run(["vgs", host.group.name])
        #expect(try await eventually { try await reasons(host, volume).contains("DiskMissing") })
        #expect(try await host.backend.capacity(CapacityQuery()).available == .zero)
        await expectError("exhausted") { _ = try await host.make("b") }
        try await replace("0 \(sectors) linear \(disk) 2048")
        _ = try? await TestGroup.run(["vgs", host.group.name])
        #expect(try await eventually { try await reasons(host, volume) == [] })
        try await host.backend.deleteVolume(volume.id, secrets: .none)
        await host.backend.close()
        try await TestGroup.run(["vgremove", "-y", "-ff", host.group.name])
        try await TestGroup.run(["vgcreate", host.group.name] + TestGroup.disks.prefix(1))
      }
    }

    @Test func `a device that stays suspended is told of`() async throws {
      try await CopyHost.use { host in
        let volume = try await host.make("a")
        let device = try await host.device(volume.id)
        let name = String(device.dropFirst("/dev/mapper/".count))
        try await host.dmsetup("suspend", name)
        #expect(try await reasons(host, volume) == ["DeviceSuspended"])
        try await host.dmsetup("resume", name)
        #expect(try await reasons(host, volume) == [])
        try await host.backend.disconnect(volume.id)
      }
    }
  }
}
