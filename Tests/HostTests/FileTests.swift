import Glibc
import Storage
import Testing

@testable import Host

extension HostSuite {
  @Suite struct HostPathTests {
    @Test(arguments: ["", "relative", "some/path", "/", "//", "/a/../b", "/..", "/a/."])
    func `paths that are no target are invalid`(path: String) {
      #expect(throws: StorageError.self) { try HostPath.checkTarget(path, within: []) }
    }

    @Test func `a path with NUL is invalid`() {
      #expect(throws: StorageError.self) { try HostPath.checkTarget("/a\0b", within: []) }
    }

    @Test func `long paths are taken up to what the kernel takes`() {
      let part = "/" + String(repeating: "x", count: 200)
      #expect(throws: Never.self) {
        try HostPath.checkTarget(String(repeating: part, count: 20), within: [])
      }
      #expect(throws: StorageError.self) { try HostPath.checkTarget(String(repeating: part, count: 21), within: []) }
      #expect(throws: StorageError.self) {
        try HostPath.checkTarget("/" + String(repeating: "x", count: 256), within: [])
      }
    }

    @Test func `a target is inside the allowed directories, also when links are resolved`() async throws {
      try await Scratch.use { scratch in
        let inside = try scratch.directory("inside")
        try scratch.directory("inside-not")
        try scratch.directory("outside")
        try HostPath.checkTarget(inside + "/target", within: [inside])
        try HostPath.checkTarget(inside + "//target/", within: [scratch.path + "/none", inside])
        try HostPath.checkTarget("/anything", within: ["/"])
        let bad = [
          scratch.file("outside/target"), scratch.file("inside-not/target"), inside, inside + "/missing/target",
        ]
        for path in bad { #expect(throws: StorageError.self) { try HostPath.checkTarget(path, within: [inside]) } }
        #expect(symlink(scratch.file("outside"), inside + "/way-out") == 0)
        #expect(throws: StorageError.self) { try HostPath.checkTarget(inside + "/way-out/x", within: [inside]) }
        #expect(throws: StorageError.self) { try HostPath.checkTarget(inside + "/way-out", within: []) }
        #expect(throws: StorageError.self) { try HostPath.checkTarget(inside + "/way-out/", within: []) }
        #expect(symlink(inside, scratch.file("way-in")) == 0)
        try HostPath.checkTarget(scratch.file("way-in/target"), within: [inside])
        #expect(HostPath.canonical(scratch.file("way-in//target/")) == inside + "/target")
      }
    }

    @Test func `making and removing are idempotent and never follow a link`() async throws {
      try await Scratch.use { scratch in
        let directory = scratch.file("d")
        let file = scratch.file("f")
        for _ in 0..<2 {
          try HostPath.createDirectory(directory)
          try HostPath.createFile(file)
        }
        #expect(throws: StorageError.self) { try HostPath.createDirectory(file) }
        #expect(throws: StorageError.self) { try HostPath.createFile(directory) }
        #expect(symlink(directory, scratch.file("dl")) == 0)
        #expect(symlink(scratch.file("new"), scratch.file("fl")) == 0)
        #expect(throws: StorageError.self) { try HostPath.createDirectory(scratch.file("dl")) }
        #expect(throws: StorageError.self) { try HostPath.createFile(scratch.file("fl")) }
        #expect(!HostPath.exists(scratch.file("new")))
        #expect(throws: SystemCallError.self) { try HostPath.removeEmptyDirectory(scratch.file("dl")) }
        #expect(throws: StorageError.self) { try HostPath.removeMountPoint(scratch.file("dl")) }
        #expect(throws: StorageError.self) { try HostPath.removeMountPoint(scratch.file("dl/")) }
        for _ in 0..<2 {
          try HostPath.removeEmptyDirectory(directory)
          try HostPath.removeFile(file)
          try HostPath.removeMountPoint(directory)
        }
      }
    }

    @Test func `what holds data is not removed as a mount point`() async throws {
      try await Scratch.use { scratch in
        try write("data", to: scratch.file("f"))
        try scratch.directory("d")
        try write("", to: scratch.file("d/f"))
        #expect(throws: StorageError.self) { try HostPath.removeMountPoint(scratch.file("f")) }
        #expect(try failure { try HostPath.removeMountPoint(scratch.file("d")) } == ENOTEMPTY)
        #expect(try text(scratch.file("f")) == "data")
      }
    }

    @Test func `parents of paths`() {
      #expect(HostPath.parent(of: "/a/b") == "/a")
      #expect(HostPath.parent(of: "/a") == "/")
      #expect(HostPath.parent(of: "/a/b/") == "/a")
      #expect(HostPath.parent(of: "a") == ".")
    }
  }

  @Suite struct DurableFileTests {
    @Test func `a file is replaced with two syncs and no leftovers`() async throws {
      try await Scratch.use { scratch in
        for content in ["first, and longer", "second"] {
          let cost = try await HostCounters.counting {
            try DurableFile.write(Array(content.utf8), to: scratch.file("state"))
          }
          #expect(cost.syncs == 2)
          #expect(try text(scratch.file("state")) == content)
        }
        #expect(try Directory.names(in: scratch.path) == ["state"])
      }
    }

    @Test func `a leftover of a crash is overwritten and a failing write leaves the old file`() async throws {
      try await Scratch.use { scratch in
        try write("torn and much longer than the rest", to: scratch.file("state.new"))
        try DurableFile.write(Array("whole".utf8), to: scratch.file("state"))
        #expect(try text(scratch.file("state")) == "whole")
        #expect(throws: SystemCallError.self) {
          try DurableFile.write(Array("x".utf8), to: scratch.file("missing/state"))
        }
        try scratch.directory("taken")
        #expect(throws: SystemCallError.self) { try DurableFile.write(Array("x".utf8), to: scratch.file("taken")) }
        #expect(try Set(Directory.names(in: scratch.path)) == ["state", "taken"])
      }
    }

    @Test func `an exclusive rename does not replace`() async throws {
      try await Scratch.use { scratch in
        try write("a", to: scratch.file("a"))
        try write("b", to: scratch.file("b"))
        #expect(try failure { try DurableFile.renameExclusively(scratch.file("a"), to: scratch.file("b")) } == EEXIST)
        try DurableFile.renameExclusively(scratch.file("a"), to: scratch.file("c"))
        #expect(try text(scratch.file("b")) == "b" && text(scratch.file("c")) == "a")
      }
    }
  }

  @Suite struct ExtentTests {
    private func sparse(_ path: String) throws {
      let file = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600)
      #expect(ftruncate(file.raw, 4 << 20) == 0)
      let block = [UInt8](repeating: 7, count: 64 << 10)
      for offset in [0, 1 << 20, (4 << 20) - (64 << 10)] {
        #expect(pwrite(file.raw, block, block.count, off_t(offset)) == block.count)
      }
    }

    private let data: [Range<Int64>] = [0..<65_536, 1 << 20..<(1 << 20) + 65_536, (4 << 20) - 65_536..<4 << 20]

    @Test(arguments: FilesystemType.allCases)
    func `data ranges and extents of a sparse file are told`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(type, "m")
        try sparse(path + "/file")
        let file = try Descriptor(opening: path + "/file", O_RDWR)
        #expect(try Extents.data(of: file.raw) == data)
        let extents = try Fiemap.extents(file.raw)
        #expect(extents.reduce(0) { $0 + $1.length } == 3 * 65_536)
        #expect(extents.map(\.logical).min() == 0)
        #expect(try FileSpace.punchHole(file.raw, data[1]))
        #expect(try Extents.data(of: file.raw) == [data[0], data[2]])
        #expect(try FileSpace.allocate(file.raw, 0..<5 << 20))
        #expect(try file.attributes().size == 5 << 20)
        #expect(try Fiemap.extents(file.raw).contains(where: \.isUnwritten))
      }
    }

    @Test func `a file of holes has no data and an empty one neither`() async throws {
      try await Scratch.use { scratch in
        for (name, size) in [("holes", ByteCount.mib(8)), ("empty", .zero)] {
          let file = try Descriptor(opening: scratch.image(name, size), O_RDONLY)
          #expect(try Extents.data(of: file.raw).isEmpty)
        }
      }
    }

    @Test func `more extents than one call returns are all told`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.xfs, "m")
        let file = try Descriptor(opening: path + "/file", O_RDWR | O_CREAT, mode: 0o600)
        for index in 0..<700 { #expect(pwrite(file.raw, [1], 1, off_t(index) << 13) == 1) }
        #expect(try Extents.data(of: file.raw).count == 700)
        #expect(try Fiemap.extents(file.raw).filter { !$0.isUnwritten }.count == 700)
      }
    }

    @Test(arguments: FilesystemType.allCases)
    func `a reflink shares everything where the file system can`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(type, "m")
        try sparse(path + "/file")
        let from = try Descriptor(opening: path + "/file", O_RDONLY)
        let to = try Descriptor(opening: path + "/copy", O_RDWR | O_CREAT, mode: 0o600)
        let cloned = try Reflink.clone(from: from.raw, to: to.raw)
        #expect(cloned == (type != .ext4))
        if cloned {
          #expect(try FileContents.read(path + "/copy") == FileContents.read(path + "/file"))
          #expect(try Fiemap.extents(to.raw).allSatisfy(\.isShared))
        }
      }
    }

    @Test func `a reflink across file systems is not supported`() async throws {
      try await Scratch.use { scratch in
        let (_, a) = try await scratch.mounted(.xfs, "a")
        let (_, b) = try await scratch.mounted(.btrfs, "b")
        try sparse(a + "/file")
        let from = try Descriptor(opening: a + "/file", O_RDONLY)
        let to = try Descriptor(opening: b + "/copy", O_RDWR | O_CREAT, mode: 0o600)
        #expect(try !Reflink.clone(from: from.raw, to: to.raw))
        for range in data {
          var left = range
          while !left.isEmpty {
            left = left.lowerBound + (try FileSpace.copy(left, from: from.raw, to: to.raw))..<left.upperBound
          }
        }
        #expect(try FileContents.read(b + "/copy") == FileContents.read(a + "/file"))
      }
    }
  }

  @Suite struct OwnershipTests {
    @Test func `everything below the root belongs to the group, links are not followed`() async throws {
      try await Scratch.use { scratch in
        let root = try scratch.directory("root")
        try scratch.directory("root/sub")
        try write("x", to: root + "/sub/file")
        try write("x", to: root + "/tool")
        try write("x", to: scratch.file("outside"))
        #expect(chmod(root + "/sub/file", 0o600) == 0 && chmod(root + "/tool", 0o700) == 0)
        #expect(chmod(scratch.file("outside"), 0o600) == 0)
        #expect(symlink(scratch.file("outside"), root + "/sub/link") == 0)
        try Ownership.apply(group: 4711, to: root)
        for (name, mode) in [("", 0o2770), ("/sub", 0o2770), ("/sub/file", 0o660), ("/tool", 0o770)] {
          let attributes = try FileAttributes.of(root + name)
          #expect(attributes.group == 4711, "\(name)")
          #expect(attributes.mode & 0o7777 == mode, "\(name)")
        }
        #expect(try FileAttributes.of(root + "/sub/link").group == 4711)
        let outside = try FileAttributes.of(scratch.file("outside"))
        #expect(outside.group == 0 && outside.mode & 0o777 == 0o600)
      }
    }

    @Test func `a root that is right already is not walked`() async throws {
      try await Scratch.use { scratch in
        let root = try scratch.directory("root")
        try Ownership.apply(group: 4711, to: root)
        try write("x", to: root + "/file")
        #expect(chown(root + "/file", 0, 0) == 0)
        try Ownership.apply(group: 4711, to: root)
        #expect(try FileAttributes.of(root + "/file").group == 0)
        try Ownership.apply(group: 4712, to: root)
        #expect(try FileAttributes.of(root + "/file").group == 4712)
      }
    }

    @Test func `another file system below the root is left alone`() async throws {
      try await Scratch.use { scratch in
        let root = try scratch.directory("root")
        try scratch.directory("root/other")
        try Mount.filesystem("none", at: root + "/other", type: "tmpfs", options: [])
        try write("x", to: root + "/other/file")
        try Ownership.apply(group: 4711, to: root)
        #expect(try FileAttributes.of(root + "/other/file").group == 0)
      }
    }
  }

  @Suite struct CommandTests {
    @Test func `output of both streams is kept, cut, and never blocks the program`() async throws {
      let output = try await Command.run(["sh", "-c", "echo out; echo err >&2; exit 3"], limit: .seconds(60))
      #expect(output.status == .exited(3) && !output.succeeded)
      #expect(output.text == "out\nerr\n")
      let much = try await Command.run(["head", "-c", "3000000", "/dev/zero"], limit: .seconds(60))
      #expect(much.succeeded && much.text.utf8.count == 8192)
    }

    @Test func `the environment is clean and there is no input`() async throws {
      let output = try await Command.run(["env"], limit: .seconds(60))
      let names = output.text.split(separator: "\n").compactMap { $0.split(separator: "=").first }
      #expect(Set(names) == ["LC_ALL", "PATH", "HOME", "TERM"])
      #expect(try await Command.run(["cat"], limit: .seconds(60)).text.isEmpty)
    }

    @Test func `a program past its limit is stopped, a dead one told`() async throws {
      let late = try await Command.run(["sleep", "1000"], limit: .milliseconds(50))
      #expect(late.status == .timedOut(after: .milliseconds(50)))
      let dead = try await Command.run(["sh", "-c", "kill -9 $$"], limit: .seconds(60))
      #expect(dead.status == .killed(signal: 9))
    }

    @Test func `a missing program names its package and costs nothing`() async throws {
      let cost = await HostCounters.counting {
        await #expect(throws: StorageError.failed("mkfs.none is not installed; install the package none-progs")) {
          _ = try await Command.run(["mkfs.none"], limit: .seconds(1), package: "none-progs")
        }
      }
      #expect(cost.programs == 0)
    }
  }
}

@Suite struct UUIDTests {
  @Test func `version 5 follows the standard`() throws {
    let dns = try #require(UUID(parsing: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"))
    #expect(UUID(namespace: dns, name: "www.example.com").description == "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    #expect(dns.description == "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
  }

  @Test func `random ones differ and garbage is none`() {
    #expect(UUID.random() != UUID.random())
    #expect(UUID.random().description.utf8.count == 36)
    for text in ["", "xyz", String(repeating: "g", count: 32)] { #expect(UUID(parsing: text) == nil) }
  }
}

@Suite struct SystemCallErrorTests {
  @Test func `an error says what, where and why`() {
    #expect(SystemCallError("mount", path: "/x", errno: ENODEV).description == "mount /x: No such device (ENODEV)")
    #expect(SystemCallError("pipe2", errno: 9999).description == "pipe2: unknown error (errno 9999)")
  }

  @Test func `no space is exhausted and the rest fails`() {
    #expect(
      SystemCallError("write", errno: ENOSPC).storageError == .exhausted("write: No space left on device (ENOSPC)"))
    #expect(SystemCallError("read", errno: EIO).storageError == .failed("read: Input/output error (EIO)"))
  }
}
