import Storage
import Testing

@testable import LVMBackend

@Suite struct PoolTests {
  private func status(
    data: Int64 = 10, metadata: Int64 = 10, mode: DeviceMapper.PoolStatus.Mode = .writable, needsCheck: Bool = false
  ) -> DeviceMapper.PoolStatus {
    DeviceMapper.PoolStatus(
      mode: mode, needsCheck: needsCheck, transactionID: 1, usedData: .mib(10 * data), totalData: .mib(1000),
      usedMetadata: .mib(metadata), totalMetadata: .mib(100), holdsMetadataSnapshot: false)
  }

  private func reasons(_ status: DeviceMapper.PoolStatus?, promised: ByteCount = .gib(10)) -> [String] {
    poolProblems(status, PoolPromise(name: "p", promised: promised)).map(\.reason)
  }

  @Test func `a pool's troubles are told by name`() {
    #expect(reasons(status()) == [])
    #expect(reasons(nil) == ["PoolNotActive"])
    #expect(reasons(status(mode: .failed)) == ["PoolFailed"])
    #expect(reasons(status(mode: .readOnly)) == ["PoolReadOnly"])
    #expect(reasons(status(needsCheck: true)) == ["PoolNeedsCheck"])
    #expect(reasons(status(data: 79)) == [])
    #expect(reasons(status(data: 80)) == ["PoolNearlyFull"])
    #expect(reasons(status(data: 100)) == ["PoolFull"])
    #expect(reasons(status(data: 99, mode: .outOfDataSpace)) == ["PoolFull"])
    #expect(reasons(status(metadata: 74)) == [])
    #expect(reasons(status(metadata: 75)) == ["PoolMetadataNearlyFull"])
    #expect(reasons(status(metadata: 100, mode: .readOnly)) == ["PoolReadOnly", "PoolMetadataFull"])
  }

  @Test func `a pool that has all it promised may be used up`() {
    #expect(reasons(status(data: 99), promised: .mib(1000)) == [])
    #expect(reasons(status(data: 100), promised: .mib(1000)) == ["PoolFull"])
  }

  private func plan(_ status: DeviceMapper.PoolStatus, free: ByteCount, step: Int = 20) -> PoolMonitor.Growth? {
    .plan(status, DeviceClass.AutoExtend(threshold: 80, step: step), free: free, extent: .mib(4))
  }

  @Test func `a pool grows by its step at its threshold, and no further than its group`() {
    #expect(plan(status(data: 79), free: .gib(1)) == nil)
    #expect(plan(status(data: 80), free: .gib(1)) == PoolMonitor.Growth(data: .mib(1200)))
    #expect(plan(status(data: 80), free: .mib(9)) == PoolMonitor.Growth(data: .mib(1008)))
    #expect(plan(status(data: 80), free: .mib(3)) == nil)
    #expect(plan(status(data: 80), free: .gib(1), step: 1) == PoolMonitor.Growth(data: .mib(1008)))
  }

  @Test func `metadata grow at 70 percent, and before the data`() {
    #expect(plan(status(metadata: 69), free: .gib(1)) == nil)
    #expect(plan(status(metadata: 70), free: .gib(1)) == PoolMonitor.Growth(metadata: .mib(120)))
    #expect(
      plan(status(data: 90, metadata: 90), free: .mib(24)) == PoolMonitor.Growth(data: .mib(1004), metadata: .mib(120)))
  }

  @Test func `snapshot parameters are refused but for those that mean the same here`() throws {
    let backend = LVMBackend(
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: NodeID("n"),
        classes: [DeviceClass(name: "a", volumeGroup: "vg", layout: .thin(pool: "p"))], executable: "/x",
        runtimeDirectory: "/nowhere"))
    #expect(try backend.canonical(snapshotParameters: [:]) == [:])
    #expect(try backend.canonical(snapshotParameters: ["snapSize": "50%"]) == [:])
    #expect(try backend.canonical(snapshotParameters: ["snapSize": "5Gi", "csiSnapshotterSecretName": "x"]) == [:])
    for wrong in [
      ["snapSize": "much"], ["snapSize": "0%"], ["snapSize": "-5"], ["csi.aliyun.com/snapshot-initial-size": "4Gi"],
      ["other": ""],
    ] {
      #expect(throws: StorageError.self) { try backend.canonical(snapshotParameters: wrong) }
    }
  }

  @Test func `a group is complete with all its members and its cut`() {
    func member(_ number: Int, of count: Int, isCut: Bool) -> SnapshotRecord {
      SnapshotRecord(
        path: LVPath("vg", "css_\(number)"), id: NativeID("css_\(number)@n"), name: "", source: NativeID("v\(number)"),
        sourceUUID: "u", size: .mib(4), created: Timestamp(seconds: 1), deviceClass: "a", content: .block,
        format: .unformatted, encryption: nil,
        group: .init(id: NativeID("csg"), name: "g", members: count, isCut: isCut))
    }
    typealias Group = LVMBackend.Group
    #expect(!Group.isComplete([]))
    #expect(!Group.isComplete([member(1, of: 2, isCut: true)]))
    #expect(!Group.isComplete([member(1, of: 2, isCut: false), member(2, of: 2, isCut: false)]))
    #expect(Group.isComplete([member(1, of: 2, isCut: true), member(2, of: 2, isCut: false)]))
    #expect(Group.isComplete([member(1, of: 1, isCut: true)]))
  }
}
