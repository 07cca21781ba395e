import BackendContract
import FileBackend
import Host
import Storage
import Testing

/// Backends in directories of their own on one file system.
private struct Factory: BackendFactory {
  let host: HostDirectory
  var node: NodeID { NodeID("here") }

  func withBackend(_ body: (any StorageBackend) async throws -> Void) async throws {
    let backend = try await host.prepared()
    try await body(backend)
    #expect(try host.leftovers() == [], "nothing may be left")
    #expect(try LoopDevice.all().allSatisfy { $0.backingFile?.hasPrefix(host.volumes) != true })
    backend.close()
  }
}

extension FileBackendSuite {
  @Suite struct ContractTests {
    @Test(arguments: FilesystemType.allCases)
    func `the contract is kept`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type) { host in
        for check in ContractCheck.all {
          var own = host
          own.directory = String(check.name.prefix(60))
          do {
            try await check.run(Factory(host: own))
          } catch {
            Issue.record("\(check): \(error)")
          }
        }
        let probe = try await host.prepared()
        #expect(probe.sharesBlocks == (type != .ext4))
      }
    }
  }
}
