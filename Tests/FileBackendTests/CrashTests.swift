import FileBackend
import Host
import Storage
import Testing

extension FileBackendSuite {
  /// The life of volumes, killed at every step and led again.
  @Suite struct CrashTests {
    @Test(arguments: [FilesystemType.ext4, .btrfs])
    func `a repeat heals what a kill at any step left`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type, size: .mib(512)) { host in
        // What the life of this program passes; staging, publishing and encryption are the driver's.
        let own = CrashPoint.allCases.filter { !$0.rawValue.contains(/^((un)?(stage|publish)|luks|lvm)\./) }
        for point in own where type == .ext4 || point.rawValue.hasSuffix("rename") {
          for count in [1, 2, 5] {
            let killed = try await Command.run(
              ["env", "STOWAGE_CRASH_AT=\(point.rawValue):\(count)", lifeProgram, host.volumes], limit: .seconds(60))
            // A point that is passed less often lets the life end as it should.
            #expect(killed.status == .killed(signal: 9) || killed.succeeded, "\(point):\(count): \(killed.text)")
            if count == 1 { #expect(killed.status == .killed(signal: 9), "\(point) was never reached") }
            let repeated = try await Command.run([lifeProgram, host.volumes], limit: .seconds(60))
            #expect(repeated.succeeded, "after \(point):\(count): \(repeated.text)")
            #expect(try host.leftovers() == [], "after \(point):\(count)")
            let loops = try LoopDevice.all().filter { $0.backingFile?.hasPrefix(host.volumes) == true }
            #expect(loops.isEmpty, "after \(point):\(count)")
          }
        }
      }
    }
  }
}
