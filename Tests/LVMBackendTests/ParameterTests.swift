import Storage
import Testing

@testable import LVMBackend

@Suite struct ParameterTests {
  private func backend() throws -> LVMBackend {
    LVMBackend(
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: NodeID("n"),
        classes: [
          DeviceClass(name: "fast", volumeGroup: "vg0", layout: .thin(pool: "thin0")),
          DeviceClass(name: "thick", volumeGroup: "vg0", layout: .linear),
          DeviceClass(name: "safe", volumeGroup: "vg1", layout: .raid1(2)),
        ], executable: "/x", runtimeDirectory: "/y"))
  }

  @Test(
    arguments: [
      ([:], nil),
      (["deviceClass": "fast"], nil),
      (["topolvm.io/device-class": ""], nil),
      (["topolvm.io/device-class": "thick"], "thick"),
      (["volgroup": "vg1"], "safe"),
      (["volgroup": "vg0", "thinProvision": "yes"], nil),
      (["volgroup": "vg0", "thinProvision": "no"], "thick"),
      (["type": "mirror"], "safe"),
      (["type": "linear", "shared": "yes", "fsType": "xfs", "csiNodeStageSecretName": "s"], "thick"),
    ] as [([String: String], String?)])
  func `all words for a class come to one`(parameters: [String: String], name: String?) throws {
    let canonical = try backend().canonical(parameters: parameters)
    #expect(canonical == (name.map { ["deviceClass": $0] } ?? [:]))
    #expect(try backend().canonical(parameters: canonical) == canonical)
    #expect(try backend().deviceClass(for: canonical).name == name ?? "fast")
  }

  @Test(arguments: [
    ["deviceClass": "slow"], ["volgroup": "vg0"], ["volgroup": "vg2"], ["type": "striped"], ["type": "raid5"],
    ["thinProvision": "maybe"], ["deviceClass": "safe", "volgroup": "vg0"], ["shared": "no"], ["fsType": "zfs"],
    ["encryption": "luks1"], ["mkfsOptions": "-F /dev/sda"], ["no-such-key": "x"],
    ["mkfsOptions": "-L " + String(repeating: "x", count: 1100)],
  ]) func `what makes no sense is refused`(parameters: [String: String]) throws {
    let backend = try backend()
    #expect {
      try backend.canonical(parameters: parameters)
    } throws: { error in
      if case StorageError.invalid = error { true } else { false }
    }
  }

  @Test func `encryption none is the default`() throws {
    #expect(try backend().canonical(parameters: ["encryption": "none"]) == [:])
    #expect(try backend().canonical(parameters: ["encryption": "luks2"]) == ["encryption": "luks2"])
  }
}
