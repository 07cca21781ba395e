import BackendContract
import LVMBackend
import Storage
import Testing

private struct Factory: BackendFactory {
  let host: BackendHost
  var node: NodeID { host.node }

  func withBackend(_ body: (any StorageBackend) async throws -> Void) async throws {
    try await host.serving(body)
    let left = try await host.volumes()
    #expect(left == [], "nothing may be left")
  }
}

extension DeviceMapperSuite {
  @Suite struct LVMContractTests {
    /// What only thin volumes have, and what takes hundreds of volumes but does not depend on the layout.
    private static let thinOnly = [
      "snapshot", "clone", "group", "block", "every name", "pages", "at the same time",
    ]

    @Test func `the contract is kept by volumes in a thin pool`() async throws {
      try await keep(.thin) { _ in true }
    }

    @Test(arguments: [BackendHost.Kind.linear, .striped, .raid1])
    func `the contract is kept by thick volumes`(_ kind: BackendHost.Kind) async throws {
      try await keep(kind) { check in !Self.thinOnly.contains { check.name.contains($0) } }
    }

    private func keep(_ kind: BackendHost.Kind, _ applies: (ContractCheck) -> Bool) async throws {
      try await BackendHost.use(kind) { host in
        for check in ContractCheck.all where applies(check) {
          do {
            try await check.run(Factory(host: host))
          } catch {
            Issue.record("\(check): \(error)")
            try await host.removeVolumes()
          }
        }
      }
    }
  }
}
