import CSI
import Host
import Storage
import Testing

@testable import Driver

@Suite(.serialized) struct ControllerServiceTests {
  @Test func `creation is idempotent and every incompatible repeat is ALREADY_EXISTS`() async throws {
    try await Fixture.with { fixture in
      let first = try await fixture.create()
      let again = try await fixture.create()
      #expect(again == first)
      #expect(first.capacityBytes == 16 << 20)
      await expect("ALREADY_EXISTS") { try await fixture.create(size: 32 << 20) }
      await expect("ALREADY_EXISTS") { try await fixture.create("pvc-1", Fixture.block()) }
      await expect("ALREADY_EXISTS") { try await fixture.create("pvc-1", Fixture.mount("btrfs")) }
      try await fixture.create("pvc-2")
      await expect("ALREADY_EXISTS") {
        try await fixture.create("pvc-1", source: .init(type: .volume(.init(volumeID: "pvc-2"))))
      }
      _ = try await fixture.controller.deleteVolume(.init(volumeID: "pvc-1"))
      _ = try await fixture.controller.deleteVolume(.init(volumeID: "pvc-1"))
    }
  }

  @Test func `no volume is cloned while a snapshot or a group is cut of it`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      let clone = VolumeContentSource(type: .volume(.init(volumeID: "pvc-1")))
      let source = fixture.driver.registry.parse("pvc-1")
      try await fixture.driver.gate.run(exclusive: [.cut(source)], shared: [.volume(source)], request: "cut") {
        await expect("ABORTED") { try await fixture.create("clone", source: clone) }
      }
      try await fixture.create("clone", source: clone)
    }
  }

  @Test func `invalid requests are refused in the order of the rules`() async throws {
    try await Fixture.with { fixture in
      let create = fixture.controller.createVolume
      let capability = [Fixture.mount()]
      await expect("INVALID_ARGUMENT") { try await create(.init(volumeCapabilities: capability)) }
      await expect("INVALID_ARGUMENT") { try await create(.init(name: "a")) }
      await expect("INVALID_ARGUMENT") {
        try await create(.init(name: "a", volumeCapabilities: [Fixture.mount(), Fixture.block()]))
      }
      await expect("INVALID_ARGUMENT") {
        try await create(.init(name: "a", volumeCapabilities: [Fixture.mount("ext4", .multiNodeMultiWriter)]))
      }
      await expect("INVALID_ARGUMENT") {
        try await create(.init(name: "a", volumeCapabilities: capability, parameters: ["unknown": "1"]))
      }
      await expect("INVALID_ARGUMENT") {
        try await create(.init(name: "a", volumeCapabilities: capability, mutableParameters: ["iops": "1"]))
      }
      await expect("INVALID_ARGUMENT") {
        try await create(.init(name: "a", volumeCapabilities: capability, parameters: ["backend": "none"]))
      }
      await expect("OUT_OF_RANGE") {
        try await create(
          .init(
            name: "a", capacityRange: .init(requiredBytes: 2 << 20, limitBytes: 1 << 20), volumeCapabilities: capability
          ))
      }
      await expect("NOT_FOUND") {
        try await fixture.create("a", source: .init(type: .snapshot(.init(snapshotID: "none"))))
      }
      await expect("NOT_FOUND") {
        try await fixture.create("a", source: .init(type: .volume(.init(volumeID: "none"))))
      }
      let count = try await fixture.volumeCount()
      #expect(count == 0)
    }
  }

  @Test(arguments: [
    "../../etc", "a/b", "..", ".", " ", "u5-x", "\u{1F600} name", String(repeating: "n", count: 128), "file:pvc-9",
  ])
  func `any name makes a volume whose id leads back to it`(_ name: String) async throws {
    try await Fixture.with { fixture in
      let volume = try await fixture.create(name)
      #expect(volume.volumeID.utf8.count <= 128)
      let again = try await fixture.create(name)
      #expect(again.volumeID == volume.volumeID)
      _ = try await fixture.controller.controllerGetVolume(.init(volumeID: volume.volumeID))
      _ = try await fixture.controller.deleteVolume(.init(volumeID: volume.volumeID))
    }
  }

  @Test func `ids that lead elsewhere find nothing`() async throws {
    try await Fixture.with { fixture in
      for id in ["../pvc-1", "/etc/passwd", "..", "file:../x", "a/b", "pvc-1/../pvc-1"] {
        _ = try await fixture.controller.deleteVolume(.init(volumeID: id))
        await expect("NOT_FOUND") { try await fixture.controller.controllerGetVolume(.init(volumeID: id)) }
        await expect("NOT_FOUND") { try await fixture.stage(id) }
      }
    }
  }

  @Test func `a volume in use is not deleted`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      await expect("FAILED_PRECONDITION") { try await fixture.controller.deleteVolume(.init(volumeID: "pvc-1")) }
      try await fixture.unstage()
      _ = try await fixture.controller.deleteVolume(.init(volumeID: "pvc-1"))
    }
  }

  @Test func `attachment follows the rules`() async throws {
    try await Fixture.with { fixture in
      let publish = fixture.controller.controllerPublishVolume
      let request = ControllerPublishVolumeRequest(
        volumeID: "pvc-1", nodeID: "node-1", volumeCapability: Fixture.mount())
      await expect("INVALID_ARGUMENT") { try await publish(.init(volumeID: "pvc-1", nodeID: "node-1")) }
      await expect("INVALID_ARGUMENT") {
        try await publish(.init(volumeID: "pvc-1", volumeCapability: Fixture.mount()))
      }
      await expect("NOT_FOUND") { try await publish(request) }
      try await fixture.create()
      let context = try await publish(request).publishContext
      let again = try await publish(request)
      #expect(again.publishContext == context)
      var other = request
      other.readonly = true
      await expect("ALREADY_EXISTS") { try await publish(other) }
      other = request
      other.nodeID = "node-2"
      await expect("NOT_FOUND") { try await publish(other) }
      await expect("FAILED_PRECONDITION") { try await fixture.controller.deleteVolume(.init(volumeID: "pvc-1")) }
      for id in ["pvc-1", "pvc-1", "unknown"] {
        _ = try await fixture.controller.controllerUnpublishVolume(.init(volumeID: id))
      }
    }
  }

  @Test func `pages neither repeat nor skip`() async throws {
    try await Fixture.with { fixture in
      let list = fixture.controller.listVolumes
      for number in 0..<7 { try await fixture.create("pvc-\(number)") }
      var seen: [String] = []
      var token = ""
      repeat {
        let page = try await list(.init(maxEntries: 3, startingToken: token))
        #expect(page.entries.count <= 3)
        seen += page.entries.compactMap { $0.volume?.volumeID }
        if token.isEmpty { _ = try await fixture.controller.deleteVolume(.init(volumeID: "pvc-2")) }
        token = page.nextToken
      } while !token.isEmpty
      #expect(seen == (0..<7).map { "pvc-\($0)" })
      let exact = try await list(.init(maxEntries: 6))
      #expect(exact.entries.count == 6 && exact.nextToken.isEmpty)
      await expect("ABORTED") { try await list(.init(startingToken: "invalid-token")) }
      await expect("ABORTED") {
        let backend = try BackendName(validating: "other")
        return try await list(.init(startingToken: PageToken(backend: backend, last: NativeID("a")).text))
      }
      await expect("INVALID_ARGUMENT") { try await list(.init(maxEntries: -1)) }
    }
  }

  @Test func `capabilities are confirmed or objected to`() async throws {
    try await Fixture.with { fixture in
      let validate = fixture.controller.validateVolumeCapabilities
      await expect("INVALID_ARGUMENT") { try await validate(.init(volumeCapabilities: [Fixture.mount()])) }
      await expect("INVALID_ARGUMENT") { try await validate(.init(volumeID: "pvc-1")) }
      await expect("NOT_FOUND") {
        try await validate(.init(volumeID: "pvc-1", volumeCapabilities: [Fixture.mount()]))
      }
      try await fixture.create()
      let good = try await validate(.init(volumeID: "pvc-1", volumeCapabilities: [Fixture.mount("")]))
      #expect(good.confirmed?.volumeCapabilities == [Fixture.mount("")])
      for bad in [Fixture.block(), Fixture.mount("xfs"), Fixture.mount("ext4", .multiNodeMultiWriter)] {
        let answer = try await validate(.init(volumeID: "pvc-1", volumeCapabilities: [bad]))
        #expect(answer.confirmed == nil && !answer.message.isEmpty)
      }
    }
  }

  @Test func `capacity is zero, not an error, where nothing fits`() async throws {
    let here = Storage.Topology(["file.csi.stowage.dev/node": "node-1"])
    try await Fixture.with(topologies: [here]) { fixture in
      func available(_ request: GetCapacityRequest) async throws -> Int64 {
        try await fixture.controller.getCapacity(request).availableCapacity
      }
      let sidecar = ["csi.storage.k8s.io/fstype": "xfs", "csi.storage.k8s.io/provisioner-secret-name": "s"]
      #expect(try await available(.init(parameters: sidecar, accessibleTopology: here.wire)) > 0)
      #expect(try await available(.init(parameters: ["backend": "none"])) == 0)
      #expect(try await available(.init(volumeCapabilities: [Fixture.mount("", .multiNodeMultiWriter)])) == 0)
      let elsewhere = CSI.Topology(segments: ["file.csi.stowage.dev/node": "node-2"])
      #expect(try await available(.init(accessibleTopology: elsewhere)) == 0)
      await expect("RESOURCE_EXHAUSTED") {
        try await fixture.controller.createVolume(
          .init(
            name: "a", volumeCapabilities: [Fixture.mount()],
            accessibilityRequirements: .init(requisite: [elsewhere], preferred: [elsewhere])))
      }
      let volume = try await fixture.create()
      #expect(volume.accessibleTopology == [here.wire])
    }
  }

  @Test func `snapshots are cut, listed by filter, restored and deleted`() async throws {
    try await Fixture.with { fixture in
      let controller = fixture.controller
      try await fixture.create()
      try await fixture.create("pvc-2")
      let request = CreateSnapshotRequest(sourceVolumeID: "pvc-1", name: "snap-1")
      await expect("NOT_FOUND") { try await controller.createSnapshot(.init(sourceVolumeID: "none", name: "snap-1")) }
      let snapshot = try #require(try await controller.createSnapshot(request).snapshot)
      let repeated = try await controller.createSnapshot(request)
      #expect(repeated.snapshot == snapshot)
      #expect(snapshot.creationTime != nil && snapshot.sourceVolumeID == "pvc-1")
      await expect("ALREADY_EXISTS") {
        try await controller.createSnapshot(.init(sourceVolumeID: "pvc-2", name: "snap-1"))
      }
      let id = snapshot.snapshotID
      for (filter, count) in [
        (ListSnapshotsRequest(), 1), (.init(snapshotID: id), 1), (.init(snapshotID: "none"), 0),
        (.init(sourceVolumeID: "pvc-1"), 1), (.init(sourceVolumeID: "pvc-2"), 0),
        (.init(sourceVolumeID: "pvc-2", snapshotID: id), 0),
      ] {
        let found = try await controller.listSnapshots(filter)
        #expect(found.entries.count == count)
      }
      let got = try await controller.getSnapshot(.init(snapshotID: id))
      #expect(got.snapshot == snapshot)
      let source = VolumeContentSource(type: .snapshot(.init(snapshotID: id)))
      let restored = try await fixture.create("pvc-3", source: source)
      #expect(restored.contentSource == source)
      await expect("OUT_OF_RANGE") { try await fixture.create("pvc-4", size: 8 << 20, source: source) }
      for _ in 0..<2 { _ = try await controller.deleteSnapshot(.init(snapshotID: id)) }
      await expect("NOT_FOUND") { try await controller.getSnapshot(.init(snapshotID: id)) }
    }
  }

  @Test func `groups are compared as sets`() async throws {
    try await Fixture.with { fixture in
      let groups = fixture.groups
      for name in ["pvc-1", "pvc-2", "pvc-3"] { try await fixture.create(name) }
      let create = groups.createVolumeGroupSnapshot
      await expect("INVALID_ARGUMENT") { try await create(.init(sourceVolumeIDs: ["pvc-1"])) }
      await expect("INVALID_ARGUMENT") { try await create(.init(name: "g")) }
      await expect("NOT_FOUND") { try await create(.init(name: "g", sourceVolumeIDs: ["pvc-1", "none"])) }
      let group = try #require(
        try await create(.init(name: "g", sourceVolumeIDs: ["pvc-1", "pvc-2"])).groupSnapshot)
      let repeated = try await create(.init(name: "g", sourceVolumeIDs: ["pvc-2", "pvc-1", "pvc-2"]))
      #expect(repeated.groupSnapshot == group)
      await expect("ALREADY_EXISTS") { try await create(.init(name: "g", sourceVolumeIDs: ["pvc-1", "pvc-3"])) }
      let id = group.groupSnapshotID
      let members = group.snapshots.map(\.snapshotID)
      await expect("INVALID_ARGUMENT") {
        try await fixture.controller.deleteSnapshot(.init(snapshotID: members[0]))
      }
      await expect("NOT_FOUND") { try await groups.getVolumeGroupSnapshot(.init(groupSnapshotID: "none")) }
      await expect("INVALID_ARGUMENT") { try await groups.getVolumeGroupSnapshot(.init(groupSnapshotID: id)) }
      let found = try await groups.getVolumeGroupSnapshot(
        .init(groupSnapshotID: id, snapshotIDs: members.reversed()))
      #expect(found.groupSnapshot == group)
      await expect("INVALID_ARGUMENT") {
        try await groups.deleteVolumeGroupSnapshot(.init(groupSnapshotID: id, snapshotIDs: [members[0]]))
      }
      for _ in 0..<2 {
        _ = try await groups.deleteVolumeGroupSnapshot(.init(groupSnapshotID: id, snapshotIDs: members))
      }
      let left = try await fixture.controller.listSnapshots(.init())
      #expect(left.entries.isEmpty)
    }
  }

  @Test func `expansion never shrinks`() async throws {
    try await Fixture.with { fixture in
      func expand(_ request: ControllerExpandVolumeRequest) async throws -> Int64 {
        try await fixture.controller.controllerExpandVolume(request).capacityBytes
      }
      let range = CSI.CapacityRange(requiredBytes: 32 << 20)
      await expect("INVALID_ARGUMENT") { try await expand(.init(capacityRange: range)) }
      await expect("INVALID_ARGUMENT") { try await expand(.init(volumeID: "pvc-1")) }
      await expect("NOT_FOUND") { try await expand(.init(volumeID: "pvc-1", capacityRange: range)) }
      try await fixture.create()
      await expect("INVALID_ARGUMENT") {
        try await expand(.init(volumeID: "pvc-1", capacityRange: range, volumeCapability: Fixture.block()))
      }
      #expect(try await expand(.init(volumeID: "pvc-1", capacityRange: range)) == 32 << 20)
      let smaller = CSI.CapacityRange(requiredBytes: 16 << 20)
      #expect(try await expand(.init(volumeID: "pvc-1", capacityRange: smaller)) == 32 << 20)
      await expect("OUT_OF_RANGE") {
        try await expand(.init(volumeID: "pvc-1", capacityRange: .init(requiredBytes: 1 << 60)))
      }
    }
  }
}

@Suite struct CapabilityAnnouncementTests {
  @Test func `what is announced follows from the backend, the alpha of 1_13 from the flag`() async throws {
    for flag in [false, true] {
      try await Fixture.with(advertises113: flag) { fixture in
        let controller = fixture.controller.abilities
        #expect(Set(controller).count == controller.count)
        #expect(controller.contains(.createDeleteVolume) && controller.contains(.singleNodeMultiWriter))
        #expect(controller.contains(.getVolumeHealth) == flag)
        #expect(controller.contains(.listVolumeHealth) == flag)
        #expect(controller.contains(.modifyVolume))
        #expect(fixture.node.abilities.contains(.getStorageHealth) == flag)
        let probe = try await fixture.identity.probe(.init())
        #expect(probe.ready == true)
      }
    }
  }

  @Test func `before the backends are prepared the driver is not ready`() async throws {
    try await Fixture.with { fixture in
      let waiting = IdentityService(
        registry: fixture.driver.registry, configuration: fixture.driver.configuration, readiness: Readiness())
      let probe = try await waiting.probe(.init())
      #expect(probe.ready == false)
    }
  }

  @Test func `every method of the protocol has a route in every mode`() async throws {
    try await Fixture.with { fixture in
      for mode in DriverMode.allCases {
        var configuration = fixture.driver.configuration
        configuration.mode = mode
        let driver = try Driver(configuration, backends: fixture.driver.registry.all)
        #expect(driver.routes().map(\.path).sorted() == allMethods.map(\.path).sorted())
      }
    }
  }

  @Test(arguments: ["", "-a", "a-", "1a", "a b", String(repeating: "a", count: 64), "ä"])
  func `names that a CO refuses are refused at the start`(_ name: String) {
    let configuration = DriverConfiguration(driverName: name, version: "1", nodeID: NodeID("n"))
    #expect(throws: StorageError.self) { try configuration.validate() }
  }
}
