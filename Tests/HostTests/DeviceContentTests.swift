import Glibc
import Storage
import Testing

@testable import Host

extension HostSuite {
  @Suite struct DeviceContentTests {
    @Test func `a device of zeros is empty`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(64))
        #expect(try DeviceContent.probe(loop.path) == .empty)
        #expect(try DeviceContent.probe(scratch.loop("tiny.img", ByteCount(512)).path) == .empty)
      }
    }

    @Test(arguments: FilesystemType.allCases)
    func `a file system is named`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", Scratch.size(type))
        try await Filesystem.make(type, on: loop.path, options: [])
        #expect(try DeviceContent.probe(loop.path) == .holds(type: type.rawValue))
      }
    }

    @Test func `swap space and a partition table are content`() async throws {
      try await Scratch.use { scratch in
        let swap = try scratch.image("swap.img", .mib(4))
        #expect(try await Command.run(["mkswap", swap], limit: .seconds(60)).succeeded)
        #expect(try DeviceContent.probe(swap) == .holds(type: "swap"))
        let disk = try scratch.image("disk.img", .mib(4))
        // One entry of type 0x83 from sector 2048 of 2048 sectors, and the signature of a DOS label.
        try poke([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], at: 446, into: disk)
        try poke([0x55, 0xAA], at: 510, into: disk)
        #expect(try DeviceContent.probe(disk) == .holds(type: "dos"))
      }
    }

    @Test(arguments: [0, 511, 65_536, 1 << 20, (4 << 20) - 1, (63 << 20), (64 << 20) - 1] as [Int64])
    func `bytes without a signature are content too`(offset: Int64) async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(64))
        try poke([7], at: offset, into: loop.path)
        #expect(try DeviceContent.probe(loop.path) == .holds(type: DeviceContent.unknownData))
      }
    }

    @Test func `a damaged superblock is content`() async throws {
      try await Scratch.use { scratch in
        let loop = try scratch.loop("x.img", .mib(320))
        try await Filesystem.make(.xfs, on: loop.path, options: [])
        try poke([0, 0, 0, 0], at: 0, into: loop.path)
        guard case .holds = try DeviceContent.probe(loop.path) else {
          Issue.record("a damaged xfs counts as empty")
          return
        }
      }
    }

    @Test func `a device without a file or that cannot be read is not called empty`() async throws {
      try await Scratch.use { scratch in
        let file = try scratch.image("x.img", .mib(1))
        let loop = try LoopDevice.attach(file, readOnly: false, directIO: false)
        #expect(truncate(file, 0) == 0)
        guard case .unknown = try DeviceContent.probe(loop.path) else {
          Issue.record("a device behind which there is nothing counts as known")
          return
        }
        try loop.detach()
        #expect(throws: SystemCallError.self) { try DeviceContent.probe(scratch.file("missing")) }
        guard case .unknown = try DeviceContent.probe(scratch.image("none.img", .zero)) else {
          Issue.record("a device of no size counts as known")
          return
        }
      }
    }
  }
}
