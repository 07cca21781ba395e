import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct LifeTests {
    @Test func `a thin volume's whole life is as lvs tells it`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let made = try await lvm.create(test.thin("csi_a", tags: ["csi.v=1", "csi.n=x=20y"]))
          #expect(try await test.lvs("csi_a", "lv_uuid") == made.uuid)
          #expect(try await test.lvs("csi_a", "thin_id") == made.thinID.map { "\($0)" })
          #expect(try await test.lvs("csi_a", "lv_size") == "\(made.size.bytes)")
          #expect(try await test.lvs("csi_a", "lv_active") == "")
          #expect(try await test.lvs("csi_a", "lv_skip_activation") == "skip activation")
          #expect(made.tags == ["csi.v=1", "csi.n=x=20y"])

          let cut = try await lvm.create(test.snapshot("css_a", of: "csi_a", tags: ["csi.v=1"]))
          #expect(cut.size == made.size)
          #expect(cut.origin == "csi_a")
          #expect(try await test.lvs("css_a", "lv_uuid") == cut.uuid)
          #expect(try await test.lvs("css_a", "thin_id") == cut.thinID.map { "\($0)" })
          #expect(try await test.lvs("css_a", "lv_tags") == "csi.v=1")

          try await lvm.extend(test.path("csi_a"), to: ByteCount(100_000_000))
          #expect(try await lvm.volume(test.path("csi_a"))?.size == .mib(96))
          #expect(try await test.lvs("csi_a", "lv_size") == "\(ByteCount.mib(96).bytes)")

          try await lvm.changeTags(of: test.path("csi_a"), adding: ["csi.st=ready", "b"], removing: ["csi.n=x=20y"])
          #expect(try await test.lvs("csi_a", "lv_tags") == "b,csi.st=ready,csi.v=1")
          #expect(try await lvm.volume(test.path("csi_a"))?.tags == ["b", "csi.st=ready", "csi.v=1"])

          try await lvm.rename(test.path("csi_a"), to: "csi_b")
          #expect(try await lvm.volume(test.path("csi_a")) == nil)
          #expect(try await lvm.volume(test.path("css_a"))?.origin == "csi_b")
          #expect(try await test.lvs("csi_b", "lv_uuid") == made.uuid)

          try await lvm.activate(test.path("csi_b"))
          #expect(try await test.lvs("csi_b", "lv_active") == "active")
          #expect(try BlockDevice.size(DeviceMapper.devicePath(of: test.path("csi_b"))) == .mib(96))
          try await lvm.deactivate(test.path("csi_b"))
          #expect(try await test.lvs("csi_b", "lv_active") == "")
          #expect(try DeviceMapper.info(test.path("csi_b")) == nil)

          try await lvm.remove(test.path("csi_b"))
          #expect(try await lvm.volume(test.path("csi_b")) == nil)
          #expect(try await lvm.volume(test.path("css_a"))?.origin == nil)
          #expect(try await test.lvs("csi_b", "lv_uuid") == nil)
          try await lvm.remove(test.path("csi_b"))
        }
      }
    }

    @Test func `what the cache was told and what a report says are the same`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a", tags: ["t=1"]))
          _ = try await lvm.create(test.snapshot("css_a", of: "csi_a"))
          _ = try await lvm.create(test.snapshot("csi_c", of: "css_a"))
          try await lvm.extend(test.path("csi_c"), to: .mib(80))
          try await lvm.rename(test.path("csi_a"), to: "csi_z")
          try await lvm.changeTags(of: test.path("csi_c"), adding: ["u"], removing: [])
          try await lvm.remove(test.path("css_a"))
          var kept = try await lvm.group(test.name).volumes
          #expect(lvm.counters.reports == 1)
          lvm.invalidate(test.name)
          var told = try await lvm.group(test.name).volumes
          #expect(lvm.counters.reports == 2)
          for name in told.keys {
            // LVM's clock and ours are the same, but not read at the same moment.
            let (a, b) = (kept[name]?.created ?? 0, told[name]?.created ?? 0)
            #expect(abs(a - b) <= 5)
            kept[name]?.created = 0
            told[name]?.created = 0
          }
          #expect(kept == told)
        }
      }
    }

    @Test func `volumes of every thick layout are made, grown and removed`() async throws {
      try await TestGroup.use(disks: 2, pool: nil) { test in
        try await test.started { lvm in
          let kinds: [(String, NewLogicalVolume.Kind, LogicalVolume.Layout)] = [
            ("csi_l", .linear, .linear), ("csi_s", .striped(2), .striped), ("csi_r", .raid1(2), .raid),
          ]
          for (name, kind, layout) in kinds {
            let free = try await lvm.group(test.name).free
            let made = try await lvm.create(
              NewLogicalVolume(test.path(name), size: .mib(64), kind: kind, tags: ["csi.v=1"]))
            #expect(made.layout == layout)
            #expect(made.size == .mib(64))
            #expect(made.tags == ["csi.v=1"])
            #expect(try await lvm.group(test.name).free < free)
            try await lvm.extend(test.path(name), to: .mib(128))
            #expect(try await lvm.volume(test.path(name))?.size == .mib(128))
            try await lvm.activate(test.path(name))
            #expect(try BlockDevice.size(DeviceMapper.devicePath(of: test.path(name))) == .mib(128))
            if layout == .raid {
              let status = try #require(try DeviceMapper.raidStatus(test.path(name)))
              #expect(status.devices.count == 2)
              #expect(status.total == 128 << 11)
            }
            try await lvm.deactivate(test.path(name))
            try await lvm.remove(test.path(name))
            #expect(try await lvm.group(test.name).free == free)
          }
        }
      }
    }

    @Test func `a pool grows in data and metadata`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let pool = test.path(test.pool)
          let before = try #require(try await lvm.volume(pool)?.pool)
          try await lvm.extendPool(pool, data: .mib(1040), metadata: before.metadataSize + .mib(4))
          let after = try #require(try await lvm.volume(pool))
          #expect(after.size == .mib(1040))
          #expect(after.pool?.metadataSize == before.metadataSize + .mib(4))
          let status = try #require(try DeviceMapper.poolStatus(pool))
          #expect(status.totalData == .mib(1040))
          #expect(status.totalMetadata == before.metadataSize + .mib(4))
          #expect(status.mode == .writable)
          // A repeat changes nothing and costs nothing.
          _ = try await lvm.group(test.name)
          let commands = lvm.commands
          try await lvm.extendPool(pool, data: .mib(1040), metadata: nil)
          #expect(lvm.commands == commands)
        }
      }
    }
  }
}
