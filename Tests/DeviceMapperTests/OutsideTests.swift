import Glibc
import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  /// Beside an administrator who uses LVM's own programs.
  @Suite struct OutsideTests {
    @Test func `reading again costs nothing, whatever we changed`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          #expect(lvm.commands == 1)
          for _ in 0..<100 { _ = try await lvm.group(test.name) }
          #expect(lvm.commands == 1)
          _ = try await lvm.create(test.thin("csi_a"))
          _ = try await lvm.create(test.snapshot("css_a", of: "csi_a"))
          try await lvm.extend(test.path("csi_a"), to: .mib(128))
          try await lvm.changeTags(of: test.path("csi_a"), adding: ["x"], removing: [])
          try await lvm.activate(test.path("csi_a"))
          try await lvm.deactivate(test.path("csi_a"))
          try await lvm.remove(test.path("css_a"))
          for _ in 0..<100 { _ = try await lvm.volume(test.path("csi_a")) }
          #expect(lvm.commands == 8)
          // What is so already needs no command.
          try await lvm.extend(test.path("csi_a"), to: .mib(100))
          try await lvm.changeTags(of: test.path("csi_a"), adding: ["x"], removing: ["y"])
          try await lvm.deactivate(test.path("csi_a"))
          try await lvm.remove(test.path("css_a"))
          #expect(lvm.commands == 8)
          #expect(lvm.counters.reports == 1)
          #expect(lvm.counters.workerStarts == 1)
        }
      }
    }

    @Test func `what an administrator does is seen by the next read`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          _ = try await lvm.create(test.thin("csi_a"))
          try await TestGroup.run(["lvcreate", "-T", "\(test.path(test.pool))", "-V", "32M", "-n", "theirs"])
          #expect(try await lvm.volume(test.path("theirs"))?.size == .mib(32))
          try await TestGroup.run(["lvrename", test.name, "theirs", "renamed"])
          #expect(try await lvm.volume(test.path("theirs")) == nil)
          #expect(try await lvm.volume(test.path("renamed")) != nil)
          try await TestGroup.run(["lvchange", "--addtag", "theirs", "\(test.path("csi_a"))"])
          #expect(try await lvm.volume(test.path("csi_a"))?.tags == ["theirs"])
          try await TestGroup.run(["lvremove", "-y", "\(test.path("renamed"))"])
          #expect(try await lvm.volume(test.path("renamed")) == nil)
          #expect(lvm.counters.reports == 5)
          #expect(lvm.counters.outsideChanges >= 3)
          // One that only looks costs a report and shows no change.
          let changes = lvm.counters.outsideChanges
          try await TestGroup.run(["lvs", test.name])
          _ = try await lvm.group(test.name)
          #expect(lvm.counters.reports == 6)
          #expect(lvm.counters.outsideChanges == changes)
        }
      }
    }

    @Test func `another group's commands do not concern us, and ours do not touch it`() async throws {
      try await TestGroup.use { test in
        let disk = try #require(test.spareDisks.first)
        try await TestGroup.run(["vgcreate", "other", disk])
        try await TestGroup.run(["lvcreate", "-L", "32M", "-n", "csi_a", "other"])
        try await TestGroup.run(["lvcreate", "-L", "32M", "-n", "theirs", test.name])
        let before = try await TestGroup.run(["vgs", "--noheadings", "-o", "vg_seqno,lv_count,vg_free", "other"])
        try await test.started { lvm in
          try await TestGroup.run(["lvs", "other"])
          _ = try await lvm.create(test.thin("csi_a"))
          try await lvm.activate(test.path("csi_a"))
          try await lvm.deactivate(test.path("csi_a"))
          try await lvm.remove(test.path("csi_a"))
          #expect(lvm.counters.reports == 1)
          await #expect(throws: StorageError.self) { try await lvm.remove(LVPath("other", "csi_a")) }
          await #expect(throws: StorageError.self) { _ = try await lvm.group("other") }
          #expect(lvm.commands == 5)
        }
        #expect(try await TestGroup.run(["vgs", "--noheadings", "-o", "vg_seqno,lv_count,vg_free", "other"]) == before)
        #expect(try await test.lvs("theirs", "lv_active") == "active")
        try await TestGroup.run(["vgremove", "-y", "-ff", "other"])
      }
    }

    @Test func `an administrator who makes volumes beside us loses nothing, nor do we`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let count = 6
          async let theirs: Void = {
            for number in 0..<count {
              try await TestGroup.run(
                ["lvcreate", "-T", "\(test.path(test.pool))", "-V", "8M", "-n", "theirs\(number)"])
            }
          }()
          for number in 0..<count { _ = try await lvm.create(test.thin("csi_\(number)", .mib(8))) }
          try await theirs
          let wanted = Set((0..<count).flatMap { ["theirs\($0)", "csi_\($0)"] } + [test.pool])
          let told = try await lvm.group(test.name).volumes.values.filter { !$0.isInternal }
          #expect(Set(told.map(\.name)) == wanted)
          let shown = try await TestGroup.run(["lvs", "--noheadings", "-o", "lv_name,lv_uuid,thin_id", test.name])
          for volume in told where volume.layout == .thin {
            let line = shown.split(separator: "\n").first { $0.contains(" \(volume.name) ") }
            #expect(line?.contains(volume.uuid) == true)
            #expect(line?.hasSuffix(" \(volume.thinID ?? -1)") == true)
          }
        }
      }
    }

    @Test func `a lock directory that is made anew is watched again`() async throws {
      try await TestGroup.use { test in
        let directory = test.runtimeDirectory + "/locks"
        var settings = test.settings()
        settings.lockDirectory = directory
        let administrator = ["--config", "global/locking_dir=\"\(directory)\""]
        try await test.started(settings) { lvm in
          try await TestGroup.run(["rm", "-r", directory])
          try HostPath.createDirectory(directory)
          _ = try await lvm.group(test.name)
          try await TestGroup.run(["lvcreate", "-L", "8M", "-n", "theirs", test.name] + administrator)
          #expect(try await lvm.volume(test.path("theirs")) != nil)
        }
      }
    }
  }
}
