import CSI
import Storage
import Testing

@testable import Driver

@Suite struct FieldRulesTests {
  @Test func `names take any Unicode of 128 bytes without control characters`() throws {
    #expect(try FieldRules.name("a/../b c\td\u{1F600}") == "a/../b c\td\u{1F600}")
    #expect(try FieldRules.name(String(repeating: "ü", count: 64)).utf8.count == 128)
    for bad in ["", "a\u{0}", "a\u{8}", "a\u{b}b", "\u{1f}", "\u{7f}", "\u{9f}", String(repeating: "a", count: 129)] {
      #expect(throws: StorageError.self) { try FieldRules.name(bad) }
    }
  }

  @Test func `maps have at most 4 KiB, tokens aside`() throws {
    let large = String(repeating: "x", count: 4095)
    #expect(try FieldRules.map(["k": large], "m").count == 1)
    #expect(throws: StorageError.self) { try FieldRules.map(["kk": large], "m") }
    #expect(try FieldRules.map(["csi.storage.k8s.io/serviceAccount.tokens": large + large], "m").count == 1)
  }

  @Test func `page sizes are never negative`() throws {
    #expect(try FieldRules.maxEntries(0) == .max)
    #expect(try FieldRules.maxEntries(3) == 3)
    #expect(throws: StorageError.self) { try FieldRules.maxEntries(-1) }
  }

  @Test(arguments: [("1", 1), ("1024", 1024), ("1Ki", 1024), ("3Mi", 3 << 20), ("2G", 2_000_000_000)])
  func `quantities are sizes`(_ text: String, _ bytes: Int) throws {
    #expect(try ByteCount.parsing(quantity: text, "size") == ByteCount(Int64(bytes)))
  }

  @Test(arguments: [
    "", "0", "-1", "1.5Gi", "1gi", "Gi", " 1", "9223372036854775807Ki", "99999999999999999999", "1Gi;rm",
  ])
  func `what is no quantity is refused`(_ text: String) {
    #expect(throws: StorageError.self) { try ByteCount.parsing(quantity: text, "size") }
  }
}

@Suite struct PageTokenTests {
  @Test func `a token gives back what it was made of`() throws {
    let backend = try BackendName(validating: "file")
    for id in ["pvc-1", "a:b:c", "ü", ""] {
      let token = PageToken(backend: backend, last: NativeID(id))
      #expect(try PageToken(parsing: token.text) == token)
    }
  }

  @Test(arguments: ["invalid-token", "1", "zz", "ff", "66696c65", "3a", "FF", "46494c453a61"])
  func `a token of somebody else is stale`(_ text: String) {
    #expect(throws: StorageError.staleToken("starting_token is not one that this driver issued")) {
      try PageToken(parsing: text)
    }
  }
}

@Suite struct CapabilityTests {
  private func wire(
    _ access: CSI.VolumeCapability.AccessType?, _ mode: CSI.VolumeCapability.AccessMode.Mode = .singleNodeWriter
  ) -> CSI.VolumeCapability {
    CSI.VolumeCapability(accessType: access, accessMode: .init(mode: mode))
  }

  @Test func `a capability needs an access type and a known mode`() throws {
    #expect(try VolumeCapability(validating: wire(.block(.init()))) == VolumeCapability(.block, .singleNodeWriter))
    #expect(throws: StorageError.self) { try VolumeCapability(validating: wire(nil)) }
    #expect(throws: StorageError.self) { try VolumeCapability(validating: wire(.block(.init()), .unknown)) }
    #expect(throws: StorageError.self) { try VolumeCapability(validating: .init(accessType: .block(.init()))) }
    #expect(throws: StorageError.self) { try VolumeCapability.required(nil) }
  }

  @Test func `every mode crosses both ways`() throws {
    for mode in AccessMode.allCases {
      let capability = VolumeCapability(.mount(.init(filesystem: .xfs, flags: ["noatime"], group: 5)), mode)
      #expect(try VolumeCapability(validating: capability.wire) == capability)
    }
  }

  @Test func `a list is not empty and of one type`() {
    #expect(throws: StorageError.self) { try VolumeCapability.list([]) }
    #expect(throws: StorageError.self) {
      try VolumeCapability.list([wire(.block(.init())), wire(.mount(.init()))])
    }
  }

  @Test func `file systems, flags and groups are checked`() throws {
    for bad in [
      CSI.VolumeCapability.MountVolume(fsType: "ntfs"), .init(mountFlags: [String(repeating: "x", count: 4097)]),
      .init(volumeMountGroup: "-1"), .init(volumeMountGroup: "users"), .init(volumeMountGroup: "4294967295"),
      .init(volumeMountGroup: "+5"),
    ] {
      #expect(throws: StorageError.self) { try MountCapability(validating: bad) }
    }
    #expect(try MountCapability(validating: .init(volumeMountGroup: "1000")).group == 1000)
  }
}

@Suite struct ParameterTests {
  @Test func `sidecars' keys never reach a backend`() {
    let parameters = ClassParameters([
      "backend": "fast", "csi.storage.k8s.io/pvc/name": "x", "csi.storage.k8s.io/fstype": "xfs", "fstype": "xfs",
      "thick": "true",
    ])
    #expect(parameters.backend == "fast")
    #expect(parameters.rest == ["thick": "true"])
  }
}

@Suite struct VolumeMatchTests {
  private let volume = Volume(
    id: NativeID("v"), name: "v", capacity: .gib(1), parameters: ["a": "b"], content: .filesystem(.ext4))
  private let spec = VolumeSpec(
    name: "v", capabilities: [VolumeCapability(.mount(.init()), .singleNodeWriter)], parameters: ["a": "b"])

  @Test func `a repeat matches`() throws {
    #expect(volume.difference(from: spec, defaultFilesystem: .ext4) == nil)
    var sized = spec
    sized.capacity = try CapacityRange(requiredBytes: 1 << 29, limitBytes: 1 << 30)
    #expect(volume.difference(from: sized, defaultFilesystem: .ext4) == nil)
  }

  @Test func `each aspect that differs is found`() throws {
    var specs = Array(repeating: spec, count: 5)
    specs[0].capacity = try CapacityRange(requiredBytes: 2 << 30, limitBytes: 2 << 30)
    specs[1].parameters = [:]
    specs[2].source = .volume(NativeID("w"))
    specs[3].capabilities = [VolumeCapability(.block, .singleNodeWriter)]
    specs[4].isEphemeral = true
    for other in specs { #expect(volume.difference(from: other, defaultFilesystem: .ext4) != nil) }
    #expect(volume.difference(from: spec, defaultFilesystem: .xfs) != nil)
  }
}

@Suite struct BlockBatchTests {
  @Test func `batches hold no more than the caller takes`() throws {
    var batch = try BlockBatch(maxResults: 2)
    let full = (0..<5).map { batch.add(BlockRange(offset: $0 * 10, length: 5))?.count }
    #expect(full == [nil, 2, nil, 2, nil])
    #expect(batch.rest()?.count == 1)
    #expect(batch.rest() == nil)
  }

  @Test func `an empty listing is one empty message`() throws {
    var batch = try BlockBatch(maxResults: 0)
    #expect(batch.rest() == [])
    #expect(batch.rest() == nil)
    #expect(throws: StorageError.self) { try BlockBatch(maxResults: -1) }
  }
}
