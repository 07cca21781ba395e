import Glibc
import Storage
import Testing

@testable import Host

@Suite struct FilesystemCommandTests {
  @Test func `the device comes last, after the caller's options`() {
    for type in FilesystemType.allCases {
      let argv = Filesystem.makeCommand(type, device: "/dev/x", options: ["-L", "name"])
      #expect(argv.first == "mkfs.\(type)")
      #expect(argv.suffix(3) == ["-L", "name", "/dev/x"])
    }
  }

  @Test func `every exit status of e2fsck has its meaning`() {
    for code in [0, 1, 2, 3] as [Int32] { #expect(Filesystem.verdict(.exited(code)) == .usable) }
    for code in [4, 5, 6, 7] as [Int32] { #expect(Filesystem.verdict(.exited(code)) == .damaged) }
    for code in [8, 9, 12, 16, 32, 128] as [Int32] { #expect(Filesystem.verdict(.exited(code)) == .failed) }
    #expect(Filesystem.verdict(.killed(signal: 9)) == .failed)
    #expect(Filesystem.verdict(.timedOut(after: .seconds(1))) == .failed)
  }

  @Test func `a superblock is read by its fields and nothing else is taken for one`() throws {
    var bytes = [UInt8](repeating: 0, count: 1024)
    #expect(Ext4Superblock(parsing: bytes) == nil)
    bytes.replaceSubrange(4..<8, with: [0x00, 0x10, 0, 0])
    bytes[24] = 2
    bytes.replaceSubrange(56..<60, with: [0x53, 0xEF, 1, 0])
    #expect(Ext4Superblock(parsing: bytes) == Ext4Superblock(blockCount: 4096, blockSize: 4096, isClean: true))
    bytes[0x150] = 1
    #expect(Ext4Superblock(parsing: bytes)?.blockCount == 4096)
    bytes[96] = 0x80
    #expect(Ext4Superblock(parsing: bytes)?.blockCount == 1 << 32 | 4096)
    for (offset, value) in [(58, 0), (58, 3), (96, 4)] as [(Int, UInt8)] {
      var other = bytes
      other[offset] = value
      #expect(Ext4Superblock(parsing: other)?.isClean == false)
    }
    bytes[24] = 60
    #expect(Ext4Superblock(parsing: bytes) == nil)
    #expect(Ext4Superblock(parsing: [1, 2, 3]) == nil)
  }
}

extension HostSuite {
  @Suite struct FilesystemTests {
    @Test(arguments: FilesystemType.allCases)
    func `making a file system is one program`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", Filesystem.minimumSize(type))
        let cost = try await HostCounters.counting { try await Filesystem.make(type, on: loop.path, options: []) }
        #expect(cost.programs == 1)
        #expect(Filesystem.missingTools(type).isEmpty)
        #expect(Filesystem.isKnownToKernel(type))
      }
    }

    @Test func `what mkfs says is in the error`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        let error = await #expect(throws: StorageError.self) {
          try await Filesystem.make(.xfs, on: loop.path, options: ["-d", "nonsense=1"])
        }
        #expect(error?.description.contains("mkfs.xfs -f -q -K -d nonsense=1 \(loop.path): exit status 1") == true)
        #expect(error?.description.contains("nonsense") == true)
      }
    }

    @Test func `a cancelled caller does not stop mkfs`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(64))
        let task = Task { try await Filesystem.make(.ext4, on: loop.path, options: []) }
        task.cancel()
        try await task.value
        #expect(try DeviceContent.probe(loop.path) == .holds(type: "ext4"))
      }
    }

    @Test(arguments: FilesystemType.allCases.filter { Filesystem.growsOnline($0) })
    func `a mounted file system grows online without a program, and growing again changes nothing`(
      type: FilesystemType
    ) async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(type, "m")
        try write("kept", to: path + "/file")
        let before = try Filesystem.size(mountPoint: path)
        #expect(before == Scratch.size(type))
        let larger = ByteCount(Scratch.size(type).bytes * 4)
        try scratch.image("m.img", larger)
        try loop.refreshSize()
        let cost = try await HostCounters.counting {
          try Filesystem.grow(type, mountPoint: path, device: loop.path)
          try Filesystem.grow(type, mountPoint: path, device: loop.path)
        }
        #expect(cost.programs == 0)
        #expect(try Filesystem.size(mountPoint: path) == larger)
        #expect(try await FilesystemUsage.read(path, limit: .seconds(10)).bytes.total > before.bytes * 2)
        #expect(try text(path + "/file") == "kept")
      }
    }

    @Test(.enabled(if: !Filesystem.growsOnline(.ext4)))
    func `an ext4 that may not grow mounted says so, and is not touched`() async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(.ext4, "m")
        try Filesystem.grow(.ext4, mountPoint: path, device: loop.path)
        try scratch.image("m.img", .mib(64))
        try loop.refreshSize()
        #expect {
          try Filesystem.grow(.ext4, mountPoint: path, device: loop.path)
        } throws: {
          if case .precondition(let text)? = $0 as? StorageError { text.contains("CAP_SYS_RESOURCE") } else { false }
        }
        #expect(try Filesystem.size(mountPoint: path) == .mib(16))
      }
    }

    @Test func `an unmounted ext4 grows with two programs, once`() async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(.ext4, "m")
        try write("kept", to: path + "/file")
        try Mount.unmount(path)
        try scratch.image("m.img", .mib(64))
        try loop.refreshSize()
        for programs in [2, 0] {
          let cost = try await HostCounters.counting { try await Filesystem.growUnmounted(.ext4, device: loop.path) }
          #expect(cost.programs == programs)
        }
        try Mount.filesystem(loop.path, at: path, type: "ext4", options: [])
        #expect(try Filesystem.size(mountPoint: path) == .mib(64))
        #expect(try text(path + "/file") == "kept")
      }
    }

    @Test func `a device in use is not formatted and not grown by a program`() async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(.ext4, "m")
        try write("kept", to: path + "/file")
        try scratch.image("m.img", .mib(64))
        try loop.refreshSize()
        let cost = await HostCounters.counting {
          let busy = StorageError.busy("another program works on \(loop.path)")
          await #expect(throws: busy) { try await Filesystem.make(.ext4, on: loop.path, options: []) }
          await #expect(throws: busy) { try await Filesystem.growUnmounted(.ext4, device: loop.path) }
        }
        #expect(cost.programs == 0)
        #expect(try text(path + "/file") == "kept")
      }
    }

    @Test(arguments: FilesystemType.allCases.filter { Filesystem.growsOnline($0) })
    func `a tail too small to use does not make growing fail`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(type, "m")
        for extra in [512, 4096, 12_288, 1 << 20] as [Int64] {
          try scratch.image("m.img", Scratch.size(type) + ByteCount(extra))
          try loop.refreshSize()
          try Filesystem.grow(type, mountPoint: path, device: loop.path)
        }
      }
    }

    @Test func `a clean file system is checked without a program`() async throws {
      try await Scratch.use { scratch in
        for type in FilesystemType.allCases {
          let loop = try scratch.loop("\(type).img", Scratch.size(type))
          try await Filesystem.make(type, on: loop.path, options: [])
          let cost = try await HostCounters.counting { try await Filesystem.check(type, device: loop.path) }
          #expect(cost.programs == 0, "\(type)")
        }
      }
    }

    @Test func `an unclean ext4 is repaired with one program, a mounted one left alone`() async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(.ext4, "m")
        try write("kept", to: path + "/file")
        let running = try await HostCounters.counting { try await Filesystem.check(.ext4, device: loop.path) }
        #expect(running.programs == 0)
        // The state that a power cut would leave: a copy of the device while it is mounted.
        try BlockDevice.flush(loop.path)
        let copy = try await Command.run(
          ["cp", scratch.file("m.img"), scratch.file("cut.img")], limit: .seconds(60))
        #expect(copy.succeeded)
        let cut = try LoopDevice.attach(scratch.file("cut.img"), readOnly: false)
        #expect(try Ext4Superblock.read(cut.path)?.isClean == false)
        let repair = try await HostCounters.counting { try await Filesystem.check(.ext4, device: cut.path) }
        #expect(repair.programs == 1)
        #expect(try Ext4Superblock.read(cut.path)?.isClean == true)
      }
    }

    @Test func `damage that needs a person is data loss`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(16))
        try await Filesystem.make(.ext4, on: loop.path, options: ["-b", "1024", "-O", "^metadata_csum"])
        // Both bitmaps and the inode table of the first group, and the mark of an error: more than -p repairs.
        try poke([UInt8](repeating: 0xA5, count: 256 << 10), at: 40 << 10, into: loop.path)
        try poke([2, 0], at: 1024 + 58, into: loop.path)
        await #expect {
          try await Filesystem.check(.ext4, device: loop.path)
        } throws: {
          if case .dataLoss(let text)? = $0 as? StorageError { text.contains("e2fsck") } else { false }
        }
      }
    }

    @Test func `clones mount beside their origin`() async throws {
      try await Scratch.use { scratch in
        for type in FilesystemType.allCases {
          let (_, path) = try await scratch.mounted(type, "\(type)")
          try write("kept", to: path + "/file")
          try Mount.unmount(path)
          let copy = scratch.file("\(type)-copy.img")
          #expect(
            try await Command.run(["cp", scratch.file("\(type).img"), copy], limit: .seconds(60)).succeeded)
          let origin = try #require(try LoopDevice.attached(to: scratch.file("\(type).img")).first)
          let clone = try LoopDevice.attach(copy, readOnly: false)
          let options = Filesystem.mountOptions(type)
          try Mount.filesystem(origin.path, at: path, type: type.rawValue, options: options)
          try await Filesystem.renewIdentity(type, device: clone.path)
          let beside = try scratch.directory("\(type)-clone")
          try Mount.filesystem(clone.path, at: beside, type: type.rawValue, options: options)
          try write("changed", to: beside + "/file")
          #expect(try text(path + "/file") == "kept")
          #expect(try MountTable.read().entries(ofDevice: clone.path).map(\.mountPoint) == [beside])
        }
      }
    }

    @Test func `usage counts bytes and inodes`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.ext4, "m")
        let before = try await FilesystemUsage.read(path, limit: .seconds(10))
        try write(String(repeating: "x", count: 1 << 20), to: path + "/file")
        sync()
        let after = try await FilesystemUsage.read(path, limit: .seconds(10))
        #expect(after.inodes.used == before.inodes.used + 1)
        #expect(after.bytes.used >= before.bytes.used + 1 << 20)
        #expect(after.bytes.total == before.bytes.total && !after.isReadOnly)
        #expect(after.bytes.available <= after.bytes.total - after.bytes.used)
      }
    }

    @Test func `a mount that does not answer hangs one thread and no caller`() async throws {
      try await Scratch.use { scratch in
        let target = try scratch.directory("target")
        do {
          let server = try Descriptor(opening: "/dev/fuse", O_RDWR)
          try Mount.filesystem(
            "mute", at: target, type: "fuse", options: ["fd=\(server.raw),rootmode=40000,user_id=0,group_id=0"])
          for _ in 0..<5 {
            await #expect {
              _ = try await FilesystemUsage.read(target, limit: .milliseconds(50))
            } throws: {
              if case .unavailable? = $0 as? StorageError { true } else { false }
            }
          }
          #expect(try threads(named: "limited") == 1)
        }
        #expect(try await eventually { try threads(named: "limited") == 0 })
        await #expect(throws: SystemCallError.self) {
          _ = try await FilesystemUsage.read(target, limit: .seconds(10))
        }
      }
    }
  }
}

func threads(named name: String) throws -> Int {
  try Directory.names(in: "/proc/self/task").count { FileContents.line("/proc/self/task/\($0)/comm") == name }
}
