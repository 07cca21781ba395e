import LVMBackend
import Storage
import Testing

@Suite struct LVMConfigurationTests {
  @Test func `a backend needs at least one device class`() throws {
    #expect(throws: StorageError.self) {
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: NodeID("n"), classes: [], executable: "/x", runtimeDirectory: "/y"
      )
    }
  }
}
