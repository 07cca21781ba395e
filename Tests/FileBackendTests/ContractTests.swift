import BackendContract
import FileBackend
import Host
import Storage
import Testing

private struct Factory: BackendFactory {
  let type: FilesystemType
  var node: NodeID { NodeID("here") }

  func withBackend(_ body: (any StorageBackend) async throws -> Void) async throws {
    try await HostDirectory.use(type) { host in
      let backend = try await host.prepared()
      #expect(backend.sharesBlocks == (type != .ext4))
      try await body(backend)
      #expect(try host.leftovers() == [], "nothing may be left")
      #expect(try LoopDevice.all().allSatisfy { $0.backingFile?.hasPrefix(host.volumes) != true })
    }
  }
}

extension FileBackendSuite {
  @Suite struct ContractTests {
    @Test(arguments: FilesystemType.allCases, ContractCheck.all)
    func `the contract is kept`(on type: FilesystemType, check: ContractCheck) async throws {
      try await check.run(Factory(type: type))
    }
  }
}
