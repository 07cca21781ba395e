import Host
import Storage
import Testing

@testable import LVMBackend

extension DeviceMapperSuite {
  /// Cuts that must not be made, and those that somebody gives up.
  @Suite struct CutTests {
    private static let tag = "csi.g=1"

    /// An active volume that holds `1`, and an inactive snapshot of that.
    private func with(
      _ change: (inout LVM.Settings) -> Void = { _ in },
      _ body: (TestGroup, LVM, DeviceMapper.ThinCut) async throws -> Void
    ) async throws {
      try await TestGroup.use { test in
        var settings = test.settings()
        change(&settings)
        try await test.started(settings) { lvm in
          let origin = try await lvm.create(test.thin("csi_a", .mib(16)))
          try await lvm.activate(test.path("csi_a"))
          try write(1, to: test.path("csi_a"))
          let target = try await lvm.create(test.snapshot("css_a", of: "csi_a", tags: [Self.tag]))
          try await body(
            test, lvm,
            DeviceMapper.ThinCut(
              origin: .init(test.path("csi_a"), uuid: origin.uuid, id: try #require(origin.thinID)),
              target: .init(test.path("css_a"), uuid: target.uuid, id: try #require(target.thinID)),
              pool: test.path(test.pool)))
        }
      }
    }

    private func write(_ number: UInt64, to path: LVPath) throws {
      try RawDevice(DeviceMapper.devicePath(of: path)).write(number: number, at: 0)
    }

    private func number(_ lvm: LVM, _ path: LVPath) async throws -> UInt64 {
      try await lvm.activate(path)
      let number = try RawDevice(DeviceMapper.devicePath(of: path)).number(at: 0)
      try await lvm.deactivate(path)
      return number
    }

    private func side(
      _ side: DeviceMapper.ThinCut.Side, uuid: String? = nil, id: Int64? = nil
    ) -> DeviceMapper.ThinCut.Side {
      .init(side.path, uuid: uuid ?? side.uuid, id: id ?? side.id)
    }

    @Test func `what is not as LVM tells it is left alone`() async throws {
      try await with { test, lvm, cut in
        let (origin, target) = (cut.origin, cut.target)
        let wrong: [DeviceMapper.ThinCut] = [
          .init(origin: origin, target: side(target, id: origin.id), pool: cut.pool),
          .init(origin: origin, target: side(target, uuid: origin.uuid), pool: cut.pool),
          .init(origin: side(origin, id: target.id), target: target, pool: cut.pool),
          .init(origin: side(origin, uuid: target.uuid), target: target, pool: cut.pool),
        ]
        try write(2, to: origin.path)
        for one in wrong {
          await expectError("failed") { try await lvm.cut([one], tag: Self.tag) }
        }
        await expectError("failed") { try await lvm.cut([cut], tag: "csi.g=2") }
        #expect(try await number(lvm, target.path) == 1)
        try await lvm.cut([cut], tag: Self.tag)
        #expect(try await number(lvm, target.path) == 2)
      }
    }

    @Test func `an origin that somebody else holds suspended is not cut`() async throws {
      try await with { test, lvm, cut in
        let name = DeviceMapper.name(of: cut.origin.path)
        try write(2, to: cut.origin.path)
        try await TestGroup.run(["dmsetup", "suspend", name])
        await expectError("failed") { try await lvm.cut([cut], tag: Self.tag) }
        #expect(try DeviceMapper.info(named: name)?.isSuspended == true)
        try await TestGroup.run(["dmsetup", "resume", name])
        #expect(try await number(lvm, cut.target.path) == 1)
      }
    }

    @Test func `an origin that goes on while it is cut is told of`() async throws {
      try await with { test, lvm, cut in
        let name = DeviceMapper.name(of: cut.origin.path)
        #expect(throws: StorageError.self) {
          try DeviceMapper.cut([cut]) {
            if try DeviceMapper.info(named: name)?.isSuspended == true {
              try DeviceMapper.resume(named: name, isVisible: true)
            }
          }
        }
        try await lvm.remove(cut.target.path)
      }
    }

    @Test(arguments: 0...2)
    func `a cut that is given up goes no step further, and its volumes go on`(_ steps: Int) async throws {
      try await with { test, lvm, cut in
        var left = steps
        await expectError("unavailable") {
          try DeviceMapper.cut([cut]) {
            guard left > 0 else { throw StorageError.unavailable("given up") }
            left -= 1
          }
        }
        #expect(try DeviceMapper.info(cut.origin.path)?.isSuspended == false)
        try await lvm.remove(cut.target.path)
        // No number in the pool that LVM does not know.
        for name in ["css_b", "css_c"] { _ = try await lvm.create(test.snapshot(name, of: "csi_a")) }
      }
    }

    @Test func `while a cut hangs in the kernel no command begins, and then it changes nothing`() async throws {
      try await with {
        $0.hangLimit = .seconds(12)
      } _: { test, lvm, cut in
        let data = DeviceMapper.name(of: cut.pool) + "_tdata"
        try await TestGroup.run(["dmsetup", "suspend", data])
        let writer = Background { _ in try write(2, to: cut.origin.path) }
        try await Task.sleep(for: .milliseconds(500))
        #expect(!writer.isOver)
        await expectError("unavailable") { try await lvm.cut([cut], tag: Self.tag) }
        #expect(lvm.running != nil)
        await expectError("unavailable") {
          try await lvm.changeTags(of: cut.target.path, adding: ["x"], removing: [])
        }
        try await TestGroup.run(["dmsetup", "resume", data])
        try await writer.stop()
        #expect(try await eventually { lvm.running == nil })
        #expect(try DeviceMapper.info(cut.origin.path)?.isSuspended == false)
        // What it held, or nothing, but not what the origin holds now.
        #expect(try await number(lvm, cut.origin.path) == 2)
        let held = try? await number(lvm, cut.target.path)
        #expect(held != 2)
        try await lvm.remove(cut.target.path)
        for name in ["css_b", "css_c"] { _ = try await lvm.create(test.snapshot(name, of: "csi_a")) }
      }
    }
  }
}
