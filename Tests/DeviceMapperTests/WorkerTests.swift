import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  /// The process that runs LVM's commands dies or hangs.
  @Suite struct WorkerTests {
    @Test func `a worker killed between commands costs that command and one restart`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          let worker = try #require(lvm.worker)
          kill(worker, SIGKILL)
          #expect(try await eventually { kill(worker, 0) != 0 || zombie(worker) })
          await #expect(throws: StorageError.self) { _ = try await lvm.create(test.thin("csi_b")) }
          _ = try await lvm.create(test.thin("csi_b"))
          #expect(lvm.counters.workerStarts == 2)
          #expect(try await lvm.group(test.name).volumes.keys.contains("csi_a"))
        }
      }
    }

    @Test func `signals that end services do not end a worker`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let worker = try #require(lvm.worker)
          for number in [SIGTERM, SIGINT, SIGHUP] { kill(worker, number) }
          _ = try await lvm.create(test.thin("csi_a"))
          #expect(lvm.worker == worker)
        }
      }
    }

    @Test func `a worker killed during commands leaves nothing that stays suspended`() async throws {
      try await TestGroup.use { test in
        var settings = test.settings()
        settings.ownTag = "ours"
        try await test.started(settings) { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(test.path("csi_a"))
          for number in 0..<6 {
            let name = "css_\(number)"
            async let made = lvm.create(test.snapshot(name, of: "csi_a", tags: ["ours"]))
            #expect(try await eventually { lvm.running != nil })
            try await Task.sleep(for: .milliseconds(30 + 70 * number))
            if let worker = lvm.worker { kill(worker, SIGKILL) }
            do {
              _ = try await made
            } catch StorageError.unavailable {
              // Whether it was carried out is not known: a read tells.
            }
            let isThere = try await eventually {
              guard let group = try? await lvm.group(test.name) else { return false }
              let isReported = group.volumes.keys.contains(name)
              return try await (test.lvs(name, "lv_uuid") != nil) == isReported
            }
            #expect(isThere)
            #expect(try DeviceMapper.info(test.path("csi_a"))?.isSuspended == false)
            #expect(try DeviceMapper.poolStatus(test.path(test.pool))?.mode == .writable)
          }
          // And the group is as good as before. The last worker may have died with nothing to do.
          let last = test.snapshot("css_last", of: "csi_a", tags: ["ours"])
          #expect(try await eventually { (try? await lvm.create(last)) != nil })
          #expect(lvm.counters.workerStarts > 1)
        }
      }
    }

    @Test(arguments: [true, false])
    func `a worker killed while it grows a volume leaves its device as LVM knows it`(isThin: Bool) async throws {
      try await TestGroup.use { test in
        let path = test.path("csi_a")
        let order = isThin ? test.thin("csi_a") : NewLogicalVolume(path, size: .mib(64), kind: .linear, tags: [])
        var settings = test.settings()
        settings.ownTag = "ours"
        try await test.started(settings) { lvm in
          _ = try await lvm.create(order)
          try await lvm.activate(path)
          for number in 1...16 {
            let size = ByteCount.mib(64 + 4 * Int64(number))
            async let grown: Void = lvm.extend(path, to: size)
            #expect(try await eventually { lvm.running != nil })
            try await Task.sleep(for: .milliseconds(20 + 14 * number))
            if let worker = lvm.worker { kill(worker, SIGKILL) }
            _ = try? await grown
            // The next command of whatever kind looks after what was left.
            #expect(try await eventually { (try? await lvm.create(test.thin("csi_b", tags: ["ours"]))) != nil })
            let known = try #require(try await lvm.volume(path)).size
            #expect(try await test.lvs("csi_a", "lv_size") == "\(known.bytes)")
            // udev takes the name away while the device is suspended, and gives it back.
            let device = DeviceMapper.devicePath(of: path)
            #expect(try await eventually { HostPath.exists(device) })
            let shown = try BlockDevice.size(device)
            #expect(shown <= known, "the device shows what LVM has not given it")
            #expect(try DeviceMapper.info(path)?.hasPendingTable == false)
            #expect(try DeviceMapper.info(path)?.isSuspended == false)
            try await lvm.extend(path, to: size)
            #expect(try BlockDevice.size(device) == size)
            try await lvm.remove(test.path("csi_b"))
          }
        }
      }
    }

    @Test func `devices of ours that were left suspended go on after start, those of others do not`() async throws {
      try await TestGroup.use { test in
        let disk = try #require(test.spareDisks.first)
        try await TestGroup.run(["vgcreate", "other", disk])
        try await TestGroup.run(["lvcreate", "-L", "32M", "-n", "a", "other"])
        try await TestGroup.run(["lvcreate", "-L", "32M", "-n", "a-b", test.name])
        try await TestGroup.run(["dmsetup", "suspend", "other-a"])
        try await TestGroup.run(["dmsetup", "suspend", DeviceMapper.name(of: test.path("a-b"))])
        #expect(try DeviceMapper.info(test.path("a-b"))?.isSuspended == true)
        try await test.started { _ in
          let (ours, theirs) = (
            try DeviceMapper.info(test.path("a-b")), try DeviceMapper.info(LVPath("other", "a"))
          )
          #expect(ours?.isSuspended == false)
          #expect(theirs?.isSuspended == true)
        }
        try await TestGroup.run(["dmsetup", "resume", "other-a"])
        try await TestGroup.run(["vgremove", "-y", "-ff", "other"])
      }
    }

    /// The kernel lets whoever resumes a thin volume wait for its pool, for ever if nobody resumes that.
    @Test func `a pool that was left suspended goes on before its volumes`() async throws {
      try await TestGroup.use { test in
        let path = test.path("csi_a")
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(path)
        }
        try await TestGroup.run(["dmsetup", "suspend", DeviceMapper.name(of: path)])
        try await TestGroup.run(["dmsetup", "suspend", DeviceMapper.name(of: test.path(test.pool)) + "-tpool"])
        try await test.started { _ in
          let info = try DeviceMapper.info(path)
          #expect(info?.isSuspended == false)
        }
      }
    }

    @Test func `a group that is absent keeps no other from going on after a start`() async throws {
      try await TestGroup.use { test in
        try await TestGroup.run(["lvcreate", "-L", "32M", "-n", "a", test.name])
        try await TestGroup.run(["dmsetup", "suspend", DeviceMapper.name(of: test.path("a"))])
        var settings = test.settings()
        settings.groups.updateValue(nil, forKey: "absent")
        let lvm = LVM(settings)
        await #expect(throws: StorageError.self) { try await lvm.start() }
        await lvm.close()
        #expect(try DeviceMapper.info(test.path("a"))?.isSuspended == false)
      }
    }

    @Test func `while a command hangs new changes fail at once and reads go on`() async throws {
      try await TestGroup.use { test in
        var settings = test.settings()
        settings.hangLimit = .seconds(3)
        try await test.started(settings) { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          // The answer comes a moment before the command counts as ended.
          #expect(try await eventually { lvm.running == nil })
          let worker = try #require(lvm.worker)
          kill(worker, SIGSTOP)
          async let hung = lvm.create(test.thin("csi_b"))
          #expect(try await eventually { lvm.running != nil })
          // This one waits behind it and is refused when the limit is passed.
          await #expect(throws: StorageError.self) { try await lvm.remove(test.path("csi_a")) }
          #expect((lvm.running ?? .zero) >= .seconds(3))
          let clock = ContinuousClock()
          let time = await clock.measure {
            do {
              try await lvm.remove(test.path("csi_a"))
              Issue.record("a change was accepted while a command hangs")
            } catch StorageError.unavailable(let text) {
              #expect(text.contains("has been running for"))
            } catch {
              Issue.record(error)
            }
          }
          #expect(time < .seconds(1))
          // Also what an administrator makes stale is answered from what was known.
          lvm.invalidate(test.name)
          #expect(try await lvm.volume(test.path("csi_a")) != nil)
          #expect(try DeviceMapper.poolStatus(test.path(test.pool)) != nil)
          kill(worker, SIGCONT)
          let made = try await hung
          #expect(made.name == "csi_b")
          #expect(try await lvm.volume(test.path("csi_b")) != nil)
          #expect(try await eventually { lvm.running == nil })
          try await lvm.remove(test.path("csi_a"))
          #expect(lvm.counters.workerStarts == 1)
        }
      }
    }

    @Test func `a start waits for what an earlier worker is doing, but not for ever`() async throws {
      try await TestGroup.use { test in
        var settings = test.settings()
        settings.startLimit = .seconds(2)
        let first = LVM(settings)
        try await first.start()
        let second = LVM(settings)
        await #expect(throws: StorageError.self) { try await second.start() }
        await first.close()
        try await second.start()
        _ = try await second.create(test.thin("csi_a"))
        await #expect(throws: StorageError.self) { _ = try await first.create(test.thin("csi_b")) }
        await second.close()
      }
    }

    @Test func `a command goes on when its caller has gone`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let call = Task { try await lvm.create(test.thin("csi_a")) }
          #expect(try await eventually { lvm.running != nil })
          call.cancel()
          _ = try await call.value
          #expect(try await test.lvs("csi_a", "lv_name") == "csi_a")
        }
      }
    }

    @Test(arguments: [("lvm.worker-received:2", false), ("lvm.worker-done:2", true)])
    func `what a worker did before it died is seen`(point: String, isDone: Bool) async throws {
      try await TestGroup.use { test in
        setenv("STOWAGE_CRASH_AT", point, 1)
        defer { unsetenv("STOWAGE_CRASH_AT") }
        try await test.started { lvm in
          await #expect(throws: StorageError.self) { _ = try await lvm.create(test.thin("csi_a")) }
          let volume = try await lvm.volume(test.path("csi_a"))
          #expect((volume != nil) == isDone)
          #expect(try await test.lvs("csi_a", "lv_uuid") == volume?.uuid)
          #expect(lvm.counters.workerStarts == 2)
          _ = try await lvm.create(test.thin("csi_b"))
        }
      }
    }

    @Test func `a start that failed succeeds when what was missing is there`() async throws {
      try await TestGroup.use(pool: nil) { test in
        let disk = try #require(test.spareDisks.first)
        var settings = test.settings()
        settings.groups = ["later": nil]
        settings.startLimit = .seconds(2)
        let lvm = LVM(settings)
        await #expect(throws: StorageError.self) { try await lvm.start() }
        try await TestGroup.run(["vgcreate", "later", disk])
        try await lvm.start()
        #expect(try await lvm.group("later").volumes.isEmpty)
        #expect(lvm.counters.workerStarts == 1)
        await lvm.close()
      }
    }

    /// Whether a process has ended and waits to be reaped.
    private func zombie(_ process: Int32) -> Bool {
      let status = (try? FileContents.read("/proc/\(process)/stat")).map { String(decoding: $0, as: UTF8.self) } ?? ""
      return status.contains(") Z ")
    }
  }
}
