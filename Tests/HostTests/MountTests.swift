import Glibc
import Storage
import Testing

@testable import Host

extension HostSuite {
  @Suite struct MountTests {
    @Test(arguments: FilesystemType.allCases)
    func `a made file system mounts, keeps files and unmounts`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let (loop, path) = try await scratch.mounted(type, "m")
        try write("kept", to: path + "/file")
        let entry = try #require(try MountTable.read().entries(at: path).last)
        #expect(entry.type == type.rawValue && !entry.isReadOnly)
        #expect(try MountTable.read().entries(ofDevice: loop.path).map(\.mountPoint) == [path])
        try Mount.unmount(path)
        #expect(!HostPath.exists(path + "/file"))
        try Mount.filesystem(loop.path, at: path, type: type.rawValue, options: Filesystem.mountOptions(type))
        #expect(try text(path + "/file") == "kept")
      }
    }

    @Test func `a failing mount leaves nothing mounted`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("empty.img", .mib(16))
        let path = try scratch.directory("m")
        #expect(try failure { try Mount.filesystem(loop.path, at: path, type: "ext4", options: []) } == EINVAL)
        #expect(try MountTable.read().entries(at: path).isEmpty)
      }
    }

    @Test func `a read-only bind mount refuses writes while its origin takes them`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.ext4, "origin")
        let target = try scratch.directory("target")
        try Mount.bind(path, at: target, readOnly: true)
        try write("x", to: path + "/file")
        #expect(try text(target + "/file") == "x")
        #expect(try failure { try write("y", to: target + "/file") } == EROFS)
        #expect(try MountTable.read().entries(at: target).last?.isReadOnly == true)
        #expect(try MountTable.read().entries(at: path).last?.isReadOnly == false)
      }
    }

    @Test func `a bind mount keeps the restrictions of its origin`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(16))
        try await Filesystem.make(.ext4, on: loop.path, options: [])
        let path = try scratch.directory("origin")
        try Mount.filesystem(loop.path, at: path, type: "ext4", options: ["nosuid", "nodev", "noexec", "noatime"])
        let target = try scratch.directory("target")
        try Mount.bind(path, at: target, readOnly: true)
        let options = try #require(try MountTable.read().entries(at: target).last?.options)
        #expect(Set(["ro", "nosuid", "nodev", "noexec", "noatime"]).isSubset(of: options))
      }
    }

    @Test func `a device node is bound on a file`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(1))
        try HostPath.createFile(scratch.file("device"))
        try Mount.bind(loop.path, at: scratch.file("device"), readOnly: false)
        #expect(try DeviceNumber.of(device: scratch.file("device")) == DeviceNumber.of(device: loop.path))
        #expect(try BlockDevice.size(scratch.file("device")) == .mib(1))
        try Mount.unmount(scratch.file("device"))
        try HostPath.removeMountPoint(scratch.file("device"))
        #expect(!HostPath.exists(scratch.file("device")))
      }
    }

    @Test func `a stack of three mounts goes in one call`() async throws {
      try await Scratch.use { scratch in
        let target = try scratch.directory("target")
        for name in ["a", "b", "c"] {
          try Mount.filesystem(name, at: target, type: "tmpfs", options: ["size=4k"])
        }
        #expect(try MountTable.read().entries(at: target).map(\.source) == ["a", "b", "c"])
        try Mount.unmount(target)
        #expect(try MountTable.read().entries(at: target).isEmpty)
      }
    }

    @Test func `unmounting what is not mounted succeeds`() async throws {
      try await Scratch.use { scratch in
        try Mount.unmount(scratch.file("missing"))
        try Mount.unmount(scratch.directory("plain"))
        try write("", to: scratch.file("file"))
        try Mount.unmount(scratch.file("file"))
        try Mount.unmount(scratch.file("file/below"))
      }
    }

    @Test func `a mount in use is busy and stays`() async throws {
      try await Scratch.use { scratch in
        let target = try scratch.directory("target")
        try Mount.filesystem("none", at: target, type: "tmpfs", options: [])
        try write("x", to: target + "/open")
        let user = try Descriptor(opening: target + "/open", O_RDONLY)
        #expect(try failure { try Mount.unmount(target) } == EBUSY)
        #expect(try MountTable.read().entries(at: target).count == 1)
        _ = user
      }
    }

    @Test func `symbolic links are not followed by mount, bind and unmount`() async throws {
      try await Scratch.use { scratch in
        let real = try scratch.directory("real")
        let link = scratch.file("link")
        #expect(symlink(real, link) == 0)
        #expect(throws: SystemCallError.self) { try Mount.filesystem("x", at: link, type: "tmpfs", options: []) }
        #expect(throws: SystemCallError.self) { try Mount.bind(scratch.path, at: link, readOnly: false) }
        try Mount.filesystem("x", at: real, type: "tmpfs", options: [])
        #expect(throws: SystemCallError.self) { try Mount.bind(scratch.path, at: link + "/", readOnly: false) }
        #expect(throws: SystemCallError.self) { try Mount.unmount(link) }
        #expect(throws: SystemCallError.self) { try Mount.unmount(link + "//") }
        #expect(try MountTable.read().entries(at: real).count == 1)
      }
    }

    @Test func `a mount whose server died is unmounted`() async throws {
      try await Scratch.use { scratch in
        let target = try scratch.directory("target")
        do {
          let server = try Descriptor(opening: "/dev/fuse", O_RDWR)
          try Mount.filesystem(
            "dead", at: target, type: "fuse", options: ["fd=\(server.raw),rootmode=40000,user_id=0,group_id=0"])
        }
        #expect(try failure { _ = try FilesystemUsage.read(target) } == ENOTCONN)
        try Mount.unmount(target)
        #expect(try MountTable.read().entries(at: target).isEmpty)
        try HostPath.removeMountPoint(target)
      }
    }

    @Test func `paths with spaces and newlines are found in the table`() async throws {
      try await Scratch.use { scratch in
        let target = try scratch.directory("a b\\c\nd#é")
        try Mount.filesystem("none", at: target, type: "tmpfs", options: [])
        #expect(try MountTable.read().entries(at: target).count == 1)
        try Mount.unmount(target)
        #expect(try MountTable.read().entries(at: target).isEmpty)
      }
    }
  }
}
