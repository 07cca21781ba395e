import Storage
import Testing

@testable import LVMBackend

@Suite struct SpaceTests {
  private func group(free: [Int64], pool: [LogicalVolume] = [], missing: Bool = false) -> VolumeGroup {
    VolumeGroup(
      name: "vg0", uuid: "u", sequence: 1, extentSize: .mib(4), size: .gib(100),
      free: .mib(free.reduce(0, +)), metadataSize: .mib(1), metadataFree: .kib(500), isWritable: true,
      physicalVolumes: free.enumerated().map { index, free in
        .init(
          name: "/dev/\(index)", size: .gib(10), free: .mib(free), isMissing: missing && index == 0,
          isAllocatable: free % 8 == 0)
      }, volumes: Dictionary(uniqueKeysWithValues: pool.map { ($0.name, $0) }))
  }

  private func deviceClass(_ layout: DeviceClass.Layout, ratio: Double = 1) -> DeviceClass {
    DeviceClass(name: "c", volumeGroup: "vg0", layout: layout, overprovision: ratio)
  }

  @Test func `thick classes of one group have one wipe, for what one leaves another may get`() throws {
    func configuration(_ classes: DeviceClass...) throws -> LVMBackendConfiguration {
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: NodeID("here"), classes: classes, executable: "/bin/false",
        runtimeDirectory: "/run/none")
    }
    let clean = DeviceClass(name: "a", volumeGroup: "v", layout: .linear, wipe: .delete)
    let dirty = DeviceClass(name: "b", volumeGroup: "v", layout: .striped(2), wipe: .create)
    #expect(throws: StorageError.self) { try configuration(clean, dirty) }
    var elsewhere = dirty
    elsewhere.volumeGroup = "w"
    _ = try configuration(clean, elsewhere)
    var thin = dirty
    thin.layout = .thin(pool: "p")
    _ = try configuration(clean, thin)
  }

  @Test(
    arguments: [
      (.linear, 480), (.striped(2), 320), (.striped(3), 240), (.striped(4), 0), (.raid1(2), 156), (.raid1(4), 0),
    ] as [(DeviceClass.Layout, Int64)])
  func `thick space is what the layout can get`(layout: DeviceClass.Layout, mib: Int64) throws {
    // The last one takes no allocations.
    #expect(try deviceClass(layout).space(in: group(free: [160, 240, 80, 1001])) == .mib(mib))
  }

  @Test(arguments: [(1.0, 600), (1.5, 1112), (2, 1624)] as [(Double, Int64)])
  func `a pool promises its ratio less all that is in it`(ratio: Double, mib: Int64) throws {
    func thin(_ name: String, _ mib: Int64, in pool: String = "p") -> LogicalVolume {
      LogicalVolume(name: name, uuid: name, size: .mib(mib), layout: .thin, poolName: pool)
    }
    let pool = LogicalVolume(name: "p", uuid: "p", size: .mib(1024), layout: .thinPool)
    let group = group(
      free: [], pool: [pool, thin("csi_a", 300), thin("root", 100), thin("css_a", 24), thin("b", 9, in: "q")])
    #expect(try deviceClass(.thin(pool: "p"), ratio: ratio).space(in: group) == .mib(mib))
    #expect(throws: StorageError.self) { try deviceClass(.thin(pool: "missing")).space(in: group) }
  }

  @Test func `a group that lacks a disk has no space`() throws {
    #expect(throws: StorageError.self) { try deviceClass(.linear).space(in: group(free: [160, 80], missing: true)) }
  }

  @Test func `stripes have whole extents`() {
    #expect(deviceClass(.striped(3)).sizeUnit(in: group(free: [])) == 12 << 20)
    #expect(deviceClass(.raid1(3)).sizeUnit(in: group(free: [])) == 4 << 20)
  }

  @Test func `only thick classes wipe what nobody may see`() {
    func cleans(
      _ layout: DeviceClass.Layout, _ wipe: DeviceClass.Wipe, _ content: VolumeContent,
      _ encryption: VolumeEncryption? = nil
    ) -> Bool {
      DeviceClass(name: "c", volumeGroup: "v", layout: layout, wipe: wipe).needsCleaning(for: content, encryption)
    }
    #expect(!cleans(.thin(pool: "p"), .create, .filesystem(.ext4)))
    #expect(cleans(.linear, .create, .block))
    #expect(cleans(.linear, .delete, .filesystem(.ext4)))
    #expect(cleans(.raid1(2), .none, .filesystem(.xfs)))
    #expect(!cleans(.linear, .delete, .block))
    #expect(cleans(.linear, .none, .block, .luks2), "an old header must not be taken for its own")
  }
}
