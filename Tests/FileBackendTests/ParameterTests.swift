import FileBackend
import Storage
import Testing

@Suite struct ParameterTests {
  private func backend() throws -> FileBackend {
    FileBackend(
      try FileBackend.Configuration(
        name: BackendName(validating: "file"), directory: "/nowhere", nodeID: NodeID("here"), executable: "/bin/false"))
  }

  @Test func `equal requests have equal canonical parameters`() throws {
    let backend = try backend()
    let plain: [[String: String]] = [
      [:], ["provisioning": "sparse"], ["mkfsOptions": "  "], ["fsType": "xfs"], ["fstype": "ext4"],
      ["csiProvisionerSecretName": "a", "csiProvisionerSecretNamespace": "b"],
    ]
    for parameters in plain { #expect(try backend.canonical(parameters: parameters) == [:]) }
    let canonical = try backend.canonical(parameters: [
      "provisioning": "thick", "mkfsOptions": " -m  0  -O ^has_journal ",
    ])
    #expect(canonical == ["provisioning": "thick", "mkfsOptions": "-m 0 -O ^has_journal"])
    #expect(try backend.canonical(parameters: canonical) == canonical)
    #expect(try backend.canonical(parameters: ["encryption": "luks2"]) == ["encryption": "luks2"])
  }

  @Test(arguments: [
    ["provisioning": "THICK"], ["provisioning": ""], ["fsType": "ntfs"], ["size": "1"], ["": ""],
    ["mkfsOptions": "/dev/sda"], ["mkfsOptions": "sda"], ["mkfsOptions": "-m"], ["mkfsOptions": "-m -O"],
    ["mkfsOptions": "-d /etc"], ["mkfsOptions": "-J device=sda1"], ["mkfsOptions": "-l logdev=sda"],
    ["mkfsOptions": "-d name=x"], ["mkfsOptions": "-r rtdev=x"], ["mkfsOptions": "--rootdir=x"],
    ["mkfsOptions": "-n size=64k sda"], ["mkfsOptions": "-m 0;reboot"], ["mkfsOptions": "-L $(x)"],
    ["mkfsOptions": "-p file"], ["mkfsOptions": "-c"], ["mkfsOptions": "-S"],
    ["encryption": "luks"], ["encryption": ""],
    // Each half is good for one file system, the whole for none.
    ["mkfsOptions": "-T news --csum=xxhash"],
  ])
  func `bad parameters are invalid`(parameters: [String: String]) async throws {
    await expectError("invalid") { _ = try backend().canonical(parameters: parameters) }
  }

  @Test(arguments: [
    ["mkfsOptions": "-b 4096 -E lazy_itable_init=0,lazy_journal_init=0 -I 256"],
    ["mkfsOptions": "-K -m reflink=1,crc=1"],
    ["mkfsOptions": "--csum=xxhash -O block-group-tree"], ["mkfsOptions": "-i nrext64=0"], ["mkfsOptions": "-L a.b:c"],
  ])
  func `usual mkfs options pass`(parameters: [String: String]) throws {
    #expect(try backend().canonical(parameters: parameters) == parameters)
  }

  @Test func `snapshots have no parameters`() async throws {
    #expect(try backend().canonical(snapshotParameters: [:]) == [:])
    await expectError("invalid") { _ = try backend().canonical(snapshotParameters: ["a": "b"]) }
  }

  @Test func `configurations that make no sense are invalid`() async throws {
    let name = try BackendName(validating: "file")
    func check(_ directory: String, ratio: Double = 1, minimum: ByteCount = .mib(1), standard: ByteCount = .gib(1))
      async
    {
      await expectError("invalid") {
        _ = try FileBackend.Configuration(
          name: name, directory: directory, nodeID: NodeID("n"), overprovisionRatio: ratio, defaultSize: standard,
          minimumSize: minimum, executable: "/bin/false")
      }
    }
    await check("relative")
    await check("")
    await check("/a\0b")
    await check("/a", ratio: 0)
    await check("/a", ratio: .nan)
    await check("/a", minimum: .zero)
    await check("/a", minimum: .gib(2))
    await check("/a", standard: .tib(99))
  }
}
