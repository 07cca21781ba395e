import Host
import LVMBackend
import Storage
import Testing

extension DeviceMapperSuite {
  @Suite struct CostTests {
    /// Prints, and asserts only what does not depend on the machine: how many commands there were.
    @Test func `the same by our worker and by LVM's programs`() async throws {
      try await TestGroup.use { test in
        try await test.started { lvm in
          let clock = ContinuousClock()
          let rounds = 5
          var ours: [String: [Duration]] = [:]
          var theirs: [String: [Duration]] = [:]
          let pool = "\(test.path(test.pool))"
          for number in 0..<rounds {
            // What the programs changed is read before the clock runs.
            _ = try await lvm.group(test.name)
            ours["create", default: []].append(
              try await clock.measure { _ = try await lvm.create(test.thin("csi_\(number)")) })
            ours["snapshot", default: []].append(
              try await clock.measure { _ = try await lvm.create(test.snapshot("css_\(number)", of: "csi_\(number)")) })
            ours["activate", default: []].append(
              try await clock.measure { try await lvm.activate(test.path("csi_\(number)")) })
            ours["deactivate", default: []].append(
              try await clock.measure { try await lvm.deactivate(test.path("csi_\(number)")) })
            ours["extend", default: []].append(
              try await clock.measure { try await lvm.extend(test.path("csi_\(number)"), to: .mib(128)) })
            ours["remove", default: []].append(
              try await clock.measure { try await lvm.remove(test.path("css_\(number)")) })
            ours["stats", default: []].append(
              try clock.measure { _ = try DeviceMapper.poolStatus(test.path(test.pool)) })
            lvm.invalidate(test.name)
            ours["report", default: []].append(try await clock.measure { _ = try await lvm.group(test.name) })
            // Two reports, and one command for each change.
            #expect(lvm.commands == (number + 1) * 8)
            let (volume, snapshot) = (test.path("their_\(number)"), test.path("theirs_\(number)"))
            let programs: [(String, [String])] = [
              ("create", ["lvcreate", "-an", "-ky", "-Wn", "-V", "64M", "-T", pool, "-n", volume.name]),
              ("snapshot", ["lvcreate", "-s", "-an", "-ky", "-n", snapshot.name, "\(volume)"]),
              ("activate", ["lvchange", "-ay", "-K", "\(volume)"]), ("deactivate", ["lvchange", "-an", "\(volume)"]),
              ("extend", ["lvextend", "-L", "128M", "\(volume)"]), ("remove", ["lvremove", "-f", "\(snapshot)"]),
              ("stats", ["lvs", "-o", "data_percent,metadata_percent", pool]), ("report", ["lvs", "-a", test.name]),
            ]
            for (what, program) in programs {
              theirs[what, default: []].append(try await clock.measure { try await TestGroup.run(program) })
            }
          }
          for what in ours.keys.sorted() {
            let (a, b) = (median(ours[what]), median(theirs[what]))
            print("\(what): worker \(a) ms, program \(b) ms, ratio \((100 * a / max(b, 0.001)).rounded() / 100)")
          }
        }
      }
    }

    private func median(_ times: [Duration]?) -> Double {
      let sorted = (times ?? []).sorted()
      return sorted.isEmpty ? 0 : (sorted[sorted.count / 2] / .microseconds(10)).rounded() / 100
    }
  }
}
