import Glibc
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  /// LVM writes a snapshot down before it lets the kernel cut it. A worker that is killed in between leaves one that
  /// would be cut some time later.
  @Suite struct UnmadeTests {
    private static let tag = "csi.drv=test"

    private func settings(_ test: TestGroup) -> LVM.Settings {
      var settings = test.settings()
      settings.ownTag = Self.tag
      return settings
    }

    private func makeOrigin(_ lvm: LVM, _ test: TestGroup) async throws {
      _ = try await lvm.create(test.thin("csi_a", tags: [Self.tag]))
      try await lvm.activate(test.path("csi_a"))
    }

    private func write(_ number: UInt64, _ test: TestGroup) throws {
      try RawDevice(DeviceMapper.devicePath(of: test.path("csi_a"))).write(number: number, at: 0)
    }

    private func order(_ number: UInt64, _ test: TestGroup) -> NewLogicalVolume {
      test.snapshot("css_\(number)", of: "csi_a", tags: [Self.tag])
    }

    /// When a worker dies that was told to cut a snapshot.
    private enum Death { case beforeWrittenDown, between, afterMade }

    /// Looks for the time after which LVM has written a snapshot down and the pool has not made it yet: machines differ.
    private struct Aim {
      private(set) var delay = Duration.milliseconds(60)
      private var step = Duration.milliseconds(40)

      mutating func learn(_ death: Death) {
        switch death {
        case .beforeWrittenDown: delay += step
        case .between: return
        case .afterMade: delay = max(.zero, delay - step)
        }
        step = max(.milliseconds(3), step * 3 / 4)
      }
    }

    /// Kills the worker some time after it began to cut snapshot `number` of an origin that holds twice the number.
    /// - Returns: when it died, by what LVM's own programs say.
    private func dieWhileCutting(
      _ number: UInt64, after delay: Duration, _ lvm: LVM, _ test: TestGroup
    ) async throws -> Death {
      let order = order(number, test)
      try write(2 * number, test)
      async let made = lvm.create(order)
      #expect(try await eventually { lvm.running != nil })
      try await Task.sleep(for: delay)
      if let worker = lvm.worker { kill(worker, SIGKILL) }
      _ = try? await made
      let own = try await test.lvs(order.path.name, "transaction_id").flatMap { Int64($0) }
      guard let own else { return .beforeWrittenDown }
      return try DeviceMapper.poolStatus(test.path(test.pool))?.transactionID == own ? .between : .afterMade
    }

    /// A snapshot that is reported, or made again, holds what its origin held before; then nothing is left of it.
    private func check(_ number: UInt64, _ lvm: LVM, _ test: TestGroup) async throws {
      let order = order(number, test)
      #expect(try await eventually { (try? await lvm.group(test.name)) != nil })
      if try await lvm.volume(order.path) == nil {
        #expect(try await eventually { (try? await lvm.create(order)) != nil })
      }
      try write(2 * number + 1, test)
      // Lets LVM send whatever it has written down.
      _ = try await lvm.create(test.thin("csi_b"))
      try await lvm.activate(order.path)
      let held = try RawDevice(DeviceMapper.devicePath(of: order.path)).number(at: 0)
      #expect(held == 2 * number, "snapshot \(number)")
      try await lvm.remove(order.path)
      try await lvm.remove(test.path("csi_b"))
    }

    @Test func `a snapshot is reported once it was cut, whenever the worker that cut it died`() async throws {
      try await TestGroup.use { test in
        try await test.started(settings(test)) { lvm in
          try await makeOrigin(lvm, test)
          var between = 0
          var aim = Aim()
          for number in 1...40 as ClosedRange<UInt64> where between < 3 {
            let death = try await dieWhileCutting(number, after: aim.delay, lvm, test)
            aim.learn(death)
            if death == .between { between += 1 }
            try await check(number, lvm, test)
          }
          #expect(between > 0, "none of the deaths came between the two")
        }
      }
    }

    @Test func `the same when the server died with it`() async throws {
      try await TestGroup.use { test in
        try await test.started(settings(test)) { lvm in try await makeOrigin(lvm, test) }
        var between = 0
        var aim = Aim()
        for number in 1...40 as ClosedRange<UInt64> where between < 2 {
          let delay = aim.delay
          let death = try await test.started(settings(test)) { lvm in
            try await dieWhileCutting(number, after: delay, lvm, test)
          }
          aim.learn(death)
          if death == .between { between += 1 }
          try await test.started(settings(test)) { lvm in try await check(number, lvm, test) }
        }
        #expect(between > 0, "none of the deaths came between the two")
      }
    }

    @Test func `what others have written down is left alone`() async throws {
      try await TestGroup.use { test in
        var settings = settings(test)
        settings.ownTag = "csi.drv=another"
        try await test.started(settings) { lvm in
          try await makeOrigin(lvm, test)
          var left = false
          var aim = Aim()
          for number in 1...40 as ClosedRange<UInt64> where !left {
            let death = try await dieWhileCutting(number, after: aim.delay, lvm, test)
            aim.learn(death)
            left = death == .between
            #expect(try await eventually { (try? await lvm.group(test.name)) != nil })
            if left {
              #expect(try await lvm.volume(order(number, test).path) != nil)
              // By hand, as LVM wants it where the pool has made the device: else it goes no further.
              let id = try await test.lvs("css_\(number)", "thin_id") ?? ""
              try? DeviceMapper.message("delete \(id)", toPool: test.path(test.pool))
            }
            #expect(try await eventually { (try? await lvm.remove(order(number, test).path)) != nil })
          }
          #expect(left)
        }
      }
    }
  }
}
