import Glibc
import Storage
import Testing

@testable import Host

extension HostSuite {
  @Suite struct LoopDeviceTests {
    @Test func `an attached file is found by its identity and gone after detach`() async throws {
      try await Scratch.use { scratch in
        let file = try scratch.image("x.img", .mib(4))
        #expect(try LoopDevice.attached(to: file).isEmpty)
        let loop = try LoopDevice.attach(file, readOnly: false)
        #expect(try BlockDevice.size(loop.path) == .mib(4))
        #expect(try LoopDevice.attached(to: file) == [loop])
        #expect(loop.backingFile == file)
        #expect(rename(file, scratch.file("renamed.img")) == 0)
        #expect(try LoopDevice.attached(to: scratch.file("renamed.img")) == [loop])
        #expect(link(scratch.file("renamed.img"), scratch.file("second name")) == 0)
        #expect(try LoopDevice.attached(to: scratch.file("second name")) == [loop])
        try loop.detach()
        #expect(try LoopDevice.attached(to: scratch.file("renamed.img")).isEmpty)
        #expect(loop.backingFile == nil)
        try loop.detach()
      }
    }

    @Test func `a new file under the name of a deleted one is not taken for it`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        #expect(unlink(scratch.file("x.img")) == 0)
        #expect(try LoopDevice.attached(to: scratch.file("x.img")) == [loop])
        try scratch.image("x.img", .mib(1))
        #expect(try LoopDevice.attached(to: scratch.file("x.img")).isEmpty)
      }
    }

    @Test func `a read-only device refuses writes and is told apart`() async throws {
      try await Scratch.use { scratch in
        let file = try scratch.image("x.img", .mib(1))
        let reader = try LoopDevice.attach(file, readOnly: true)
        let writer = try LoopDevice.attach(file, readOnly: false)
        #expect(reader.isReadOnly && !writer.isReadOnly)
        #expect(try BlockDevice.isReadOnly(reader.path))
        #expect(try LoopDevice.attached(to: file, readOnly: true) == [reader])
        #expect(try LoopDevice.attached(to: file, readOnly: false) == [writer])
        #expect(try failure { try poke([1], at: 0, into: reader.path) } != nil)
        try reader.detach()
        #expect(try LoopDevice.attached(to: file) == [writer])
      }
    }

    @Test func `a loop device over a device shows it read-only`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        try poke(Array("hello".utf8), at: 4096, into: loop.path)
        let over = try LoopDevice.attach(loop.path, readOnly: true, directIO: false)
        defer { try? over.detach() }
        #expect(try BlockDevice.isReadOnly(over.path) && !BlockDevice.isReadOnly(loop.path))
        #expect(try LoopDevice.attached(to: loop.path) == [over])
        #expect(try FileContents.read(over.path).dropFirst(4096).prefix(5).elementsEqual("hello".utf8))
      }
    }

    @Test func `a grown file shows after refreshSize`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        try scratch.image("x.img", .mib(3))
        #expect(try BlockDevice.size(loop.path) == .mib(1))
        try loop.refreshSize()
        #expect(try BlockDevice.size(loop.path) == .mib(3))
      }
    }

    @Test func `what was written to the device is in the file after flush`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        try poke([1, 2, 3], at: 8192, into: loop.path)
        try BlockDevice.flush(loop.path)
        #expect(try FileContents.read(scratch.file("x.img")).dropFirst(8192).prefix(3).elementsEqual([1, 2, 3]))
      }
    }

    @Test func `a device set read-only refuses writes until it is set back`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        try BlockDevice.setReadOnly(loop.path, true)
        #expect(try failure { try poke([1], at: 0, into: loop.path) } != nil)
        try BlockDevice.setReadOnly(loop.path, false)
        try poke([1], at: 0, into: loop.path)
      }
    }

    @Test func `many attach at once and each gets a device of its own`() async throws {
      try await Scratch.use { scratch in
        let files = try (0..<24).map { try scratch.image("\($0).img", .mib(1)) }
        let loops = try await withThrowingTaskGroup(of: LoopDevice.self) { group in
          for file in files { group.addTask { try LoopDevice.attach(file, readOnly: false) } }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(loops).count == 24)
        for file in files { #expect(try LoopDevice.attached(to: file).count == 1) }
        try await withThrowingTaskGroup(of: Void.self) { group in
          for loop in loops { group.addTask { try loop.detach() } }
          try await group.waitForAll()
        }
        for file in files { #expect(try LoopDevice.attached(to: file).isEmpty) }
      }
    }

    @Test func `a missing device node is made`() async throws {
      try await Scratch.use { scratch in
        let first = try scratch.loop("x.img", .mib(1))
        let node = try FileAttributes.of(first.path)
        #expect(unlink(first.path) == 0)
        #expect(try LoopDevice.attached(to: scratch.file("x.img")) == [first])
        #expect(try BlockDevice.size(first.path) == .mib(1))
        #expect(chown(first.path, node.owner, node.group) == 0 && chmod(first.path, node.mode & 0o7777) == 0)
      }
    }

    @Test func `direct I/O is used where the file's system can, and does without where not`() async throws {
      try await Scratch.use { scratch in
        _ = try await scratch.mounted(.xfs, "m")
        let direct = try LoopDevice.attach(scratch.image("m/direct.img", .mib(1)), readOnly: false)
        #expect(direct.usesDirectIO)
        let cached = try LoopDevice.attach(scratch.image("m/cached.img", .mib(1)), readOnly: false, directIO: false)
        #expect(!cached.usesDirectIO)
        let memory = try scratch.directory("memory")
        try Mount.filesystem("none", at: memory, type: "tmpfs", options: [])
        let other = try LoopDevice.attach(scratch.image("memory/other.img", .mib(1)), readOnly: false)
        try poke([1], at: 512, into: other.path)
        try other.detach()
        try direct.detach()
        try cached.detach()
      }
    }

    @Test func `names other than loop devices are none`() {
      #expect(LoopDevice(path: "/dev/loop12")?.number == 12)
      for path in ["/dev/loop", "/dev/loop-control", "/dev/loop-1", "/dev/sda", "loop1"] {
        #expect(LoopDevice(path: path) == nil)
      }
    }
  }
}
