import CSI
import Glibc
import Host
import Storage
import Testing

@testable import Driver

@Suite(.serialized) struct NodeServiceTests {
  @Test(arguments: FilesystemType.allCases)
  func `a volume is staged, published and taken away without a trace`(_ type: FilesystemType) async throws {
    try await Fixture.with { fixture in
      let capability = Fixture.mount(type.rawValue)
      try await fixture.create(size: 320 << 20, capability)
      for _ in 0..<2 { try await fixture.stage("pvc-1", capability) }
      for _ in 0..<2 { try await fixture.publish("pvc-1", capability) }
      try write("kept", to: fixture.target + "/file")
      let stats = try await fixture.node.nodeGetVolumeStats(
        NodeGetVolumeStatsRequest(volumeID: "pvc-1", volumePath: fixture.target))
      #expect(stats.usage.map(\.unit) == [.bytes, .inodes])
      #expect(stats.volumeCondition?.abnormal == false)
      for _ in 0..<2 { try await fixture.unpublish() }
      #expect(!HostPath.exists(fixture.target))
      for _ in 0..<2 { try await fixture.unstage() }
      #expect(try fixture.mountPoints().isEmpty)
      #expect(try fixture.loops().isEmpty)
      #expect(HostPath.exists(fixture.staging))

      let cost = try await HostCounters.counting { try await fixture.stage("pvc-1", capability) }
      #expect(try read(fixture.staging + "/file") == "kept")
      #expect(cost.programs == 0)
      try await fixture.unstage()
      _ = try await fixture.controller.deleteVolume(DeleteVolumeRequest(volumeID: "pvc-1"))
    }
  }

  @Test func `staging again with another capability is ALREADY_EXISTS`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      await expect("ALREADY_EXISTS") { try await fixture.stage("pvc-1", Fixture.block()) }
      await expect("ALREADY_EXISTS") { try await fixture.stage("pvc-1", Fixture.mount("xfs")) }
      await expect("ALREADY_EXISTS") {
        try await fixture.stage("pvc-1", Fixture.mount("ext4", .singleNodeReaderOnly))
      }
      await expect("ALREADY_EXISTS") { try await fixture.stage("pvc-1", Fixture.mount(flags: ["noatime"])) }
      try await fixture.stage()
      #expect(try fixture.mountPoints() == [fixture.staging])
    }
  }

  @Test func `a volume that was used as a device is never formatted`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create("pvc-1", Fixture.block())
      try await fixture.stage("pvc-1", Fixture.block())
      try await fixture.unstage()
      await expect("FAILED_PRECONDITION") { try await fixture.stage() }
      #expect(try fixture.loops().isEmpty)
    }
  }

  @Test func `another file system than the volume's is FAILED_PRECONDITION and leaves nothing behind`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      try await fixture.unstage()
      await expect("FAILED_PRECONDITION") { try await fixture.stage("pvc-1", Fixture.mount("btrfs")) }
      #expect(try fixture.loops().isEmpty)
      await expect("FAILED_PRECONDITION") { try await fixture.publish() }
    }
  }

  @Test func `required fields come before existence`() async throws {
    try await Fixture.with { fixture in
      let node = fixture.node
      await expect("INVALID_ARGUMENT") { try await node.nodeStageVolume(.init()) }
      await expect("INVALID_ARGUMENT") {
        try await node.nodeStageVolume(.init(volumeID: "x", stagingTargetPath: fixture.staging))
      }
      await expect("INVALID_ARGUMENT") { try await node.nodePublishVolume(.init(volumeID: "x")) }
      await expect("INVALID_ARGUMENT") {
        try await node.nodePublishVolume(.init(volumeID: "x", targetPath: fixture.target))
      }
      await expect("INVALID_ARGUMENT") { try await node.nodeUnstageVolume(.init(volumeID: "x")) }
      await expect("INVALID_ARGUMENT") { try await node.nodeUnpublishVolume(.init(volumeID: "x")) }
      await expect("INVALID_ARGUMENT") { try await node.nodeGetVolumeStats(.init(volumeID: "x")) }
      await expect("INVALID_ARGUMENT") { try await node.nodeExpandVolume(.init(volumeID: "x")) }
      await expect("NOT_FOUND") { try await fixture.stage("fake") }
      await expect("NOT_FOUND") { try await fixture.publish("fake") }
      await expect("NOT_FOUND") { try await node.nodeGetVolumeStats(.init(volumeID: "x", volumePath: "some/path")) }
      await expect("NOT_FOUND") { try await node.nodeExpandVolume(.init(volumeID: "x", volumePath: "some/path")) }
      for gone in [fixture.target, fixture.root + "/gone/target"] {
        try await fixture.unpublish("fake", at: gone)
        try await fixture.unstage("fake", at: gone)
      }
      try await fixture.create()
      await expect("FAILED_PRECONDITION") {
        try await node.nodePublishVolume(
          .init(volumeID: "pvc-1", targetPath: fixture.target, volumeCapability: Fixture.mount()))
      }
      await expect("NOT_FOUND") { try await node.nodeGetVolumeStats(.init(volumeID: "pvc-1", volumePath: "/tmp")) }
    }
  }

  @Test func `second publishes follow the table`() async throws {
    try await Fixture.with { fixture in
      let second = fixture.root + "/pods/second"
      try await fixture.create()
      try await fixture.stage()
      try await fixture.publish()
      await expect("ALREADY_EXISTS") { try await fixture.publish(readonly: true) }
      try await fixture.publish("pvc-1", Fixture.mount("ext4", .singleNodeMultiWriter), at: second, readonly: true)
      await expect("FAILED_PRECONDITION") {
        try await fixture.publish("pvc-1", Fixture.mount("ext4", .singleNodeSingleWriter), at: second + "2")
      }
      #expect(open(second + "/x", O_CREAT | O_WRONLY, 0o600) == -1)
      #expect(try fixture.mountPoints().count == 3)
      await expect("FAILED_PRECONDITION") { try await fixture.unstage() }
      try await fixture.unpublish(at: second)
      try await fixture.unpublish()
      try await fixture.unstage()
      #expect(try fixture.loops().isEmpty)
    }
  }

  @Test func `a raw block volume shows as a device, read-only where asked`() async throws {
    try await Fixture.with { fixture in
      let reader = fixture.root + "/pods/reader"
      try await fixture.create("pvc-1", Fixture.block())
      for _ in 0..<2 { try await fixture.stage("pvc-1", Fixture.block()) }
      for _ in 0..<2 { try await fixture.publish("pvc-1", Fixture.block()) }
      for _ in 0..<2 { try await fixture.publish("pvc-1", Fixture.block(), at: reader, readonly: true) }
      #expect(try BlockDevice.size(fixture.target) == .mib(16))
      #expect(try BlockDevice.isReadOnly(reader))
      #expect(try fixture.loops().count == 2)
      await expect("ALREADY_EXISTS") { try await fixture.publish("pvc-1", Fixture.block(), at: reader) }
      let stats = try await fixture.node.nodeGetVolumeStats(
        .init(volumeID: "pvc-1", volumePath: fixture.target))
      #expect(stats.usage == [VolumeUsage(total: 16 << 20, unit: .bytes)])
      _ = try await fixture.controller.controllerExpandVolume(
        .init(volumeID: "pvc-1", capacityRange: .init(requiredBytes: 32 << 20)))
      let expanded = try await fixture.node.nodeExpandVolume(
        .init(volumeID: "pvc-1", volumePath: fixture.target, capacityRange: .init(requiredBytes: 32 << 20)))
      #expect(expanded.capacityBytes == 32 << 20)
      #expect(try BlockDevice.size(reader) == .mib(32))
      for _ in 0..<2 { try await fixture.unpublish(at: reader) }
      #expect(try fixture.loops().count == 1)
      try await fixture.unpublish()
      for _ in 0..<2 { try await fixture.unstage() }
      #expect(try fixture.loops().isEmpty)
      #expect(try Directory.names(in: fixture.root + "/pods").isEmpty)
      #expect(try Directory.names(in: fixture.staging).isEmpty)
    }
  }

  @Test func `a user's file named device survives unstaging`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      try write("", to: fixture.staging + "/device")
      try await fixture.unstage()
      try await fixture.stage()
      #expect(HostPath.exists(fixture.staging + "/device"))
    }
  }

  @Test(arguments: FilesystemType.allCases)
  func `a mounted file system grows`(_ type: FilesystemType) async throws {
    try await Fixture.with { fixture in
      let capability = Fixture.mount(type.rawValue)
      try await fixture.create(size: 320 << 20, capability)
      try await fixture.stage("pvc-1", capability)
      try await fixture.publish("pvc-1", capability)
      let range = CSI.CapacityRange(requiredBytes: 640 << 20)
      await expect("OUT_OF_RANGE") {
        try await fixture.node.nodeExpandVolume(
          .init(volumeID: "pvc-1", volumePath: fixture.target, capacityRange: range))
      }
      let grown = try await fixture.controller.controllerExpandVolume(
        .init(volumeID: "pvc-1", capacityRange: range, volumeCapability: capability))
      #expect(grown.capacityBytes == 640 << 20)
      #expect(grown.nodeExpansionRequired)
      guard Filesystem.growsOnline(type) else {
        // The process lacks a privilege: the next staging grows the file system.
        await expect("FAILED_PRECONDITION") {
          try await fixture.node.nodeExpandVolume(.init(volumeID: "pvc-1", volumePath: fixture.target))
        }
        try await fixture.unpublish()
        try await fixture.unstage()
        try await fixture.stage("pvc-1", capability)
        #expect(try Filesystem.size(mountPoint: fixture.staging) > .mib(500))
        return
      }
      for _ in 0..<2 {
        let answer = try await fixture.node.nodeExpandVolume(
          .init(volumeID: "pvc-1", volumePath: fixture.target, capacityRange: range))
        #expect(answer.capacityBytes == 640 << 20)
      }
      #expect(try Filesystem.size(mountPoint: fixture.staging) > .mib(500))
    }
  }

  @Test(arguments: FilesystemType.allCases)
  func `a clone is larger, mounts beside its origin and holds the old content`(_ type: FilesystemType) async throws {
    try await Fixture.with { fixture in
      let capability = Fixture.mount(type.rawValue)
      try await fixture.create(size: 320 << 20, capability)
      try await fixture.stage("pvc-1", capability)
      try write("old", to: fixture.staging + "/file")
      try await fixture.unstage()
      try await fixture.create(
        "pvc-2", size: 512 << 20, capability, source: .init(type: .volume(.init(volumeID: "pvc-1"))))
      try await fixture.stage("pvc-1", capability)
      try write("new", to: fixture.staging + "/file")
      let second = fixture.root + "/staging-2"
      try await fixture.stage("pvc-2", capability, at: second)
      #expect(try read(second + "/file") == "old")
      #expect(try read(fixture.staging + "/file") == "new")
      #expect(try Filesystem.size(mountPoint: second) > .mib(400))
    }
  }

  @Test func `the mount group owns the volume`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      try HostPath.createDirectory(fixture.staging + "/inner", mode: 0o700)
      try write("x", to: fixture.staging + "/inner/file")
      #expect(symlink("/etc/passwd", fixture.staging + "/link") == 0)
      try await fixture.unstage()
      try await fixture.stage("pvc-1", Fixture.mount(group: "4242"))
      var status = stat()
      for name in ["", "/inner", "/inner/file"] {
        #expect(lstat(fixture.staging + name, &status) == 0)
        #expect(status.st_gid == 4242, "\(name)")
        #expect(status.st_mode & 0o060 == 0o060, "\(name)")
      }
      #expect(stat("/etc/passwd", &status) == 0)
      #expect(status.st_gid != 4242)
    }
  }

  @Test func `paths that escape are refused`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      let link = fixture.root + "/pods/link"
      #expect(symlink("/etc", link) == 0)
      for path in ["relative", "/", link, fixture.root + "/../etc", "/" + String(repeating: "a", count: 5000)] {
        await expect("INVALID_ARGUMENT") { try await fixture.stage(at: path) }
        await expect("INVALID_ARGUMENT") { try await fixture.publish(at: path) }
        await expect("INVALID_ARGUMENT") { try await fixture.unpublish(at: path) }
        await expect("INVALID_ARGUMENT") { try await fixture.unstage(at: path) }
      }
    }
  }

  @Test func `a volume that is staged for writing cannot be staged read-only elsewhere`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      let elsewhere = fixture.root + "/elsewhere"
      try HostPath.createDirectory(elsewhere)
      let reader = Fixture.mount("ext4", .singleNodeReaderOnly)
      await expect("FAILED_PRECONDITION") { try await fixture.stage("pvc-1", reader, at: elsewhere) }
    }
  }

  @Test func `what somebody else mounted is never unmounted`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      for path in [fixture.target, fixture.root + "/foreign"] {
        try HostPath.createDirectory(path)
        try Mount.filesystem("tmpfs", at: path, type: "tmpfs", options: [])
        try write("precious", to: path + "/file")
        await expect("FAILED_PRECONDITION") { try await fixture.unpublish(at: path) }
        await expect("FAILED_PRECONDITION") { try await fixture.unstage(at: path) }
        #expect(try read(path + "/file") == "precious")
        try Mount.unmount(path)
      }
    }
  }

  @Test func `a target that holds data is left alone`() async throws {
    try await Fixture.with { fixture in
      try HostPath.createDirectory(fixture.target)
      try write("precious", to: fixture.target + "/file")
      await expect("FAILED_PRECONDITION") { try await fixture.unpublish() }
      #expect(try read(fixture.target + "/file") == "precious")
    }
  }

  @Test func `a stack of mounts on the target goes away whole`() async throws {
    try await Fixture.with { fixture in
      try await fixture.create()
      try await fixture.stage()
      try await fixture.publish()
      try Mount.filesystem("tmpfs", at: fixture.target, type: "tmpfs", options: [])
      try Mount.filesystem("tmpfs", at: fixture.target, type: "tmpfs", options: [])
      try await fixture.unpublish()
      #expect(!HostPath.exists(fixture.target))
    }
  }

  @Test func `an ephemeral volume lives and dies with its target`() async throws {
    try await Fixture.with { fixture in
      func request(_ context: [String: String], readonly: Bool = false) -> NodePublishVolumeRequest {
        NodePublishVolumeRequest(
          volumeID: "csi-0", targetPath: fixture.target, volumeCapability: Fixture.mount(), readonly: readonly,
          volumeContext: context.merging(["csi.storage.k8s.io/ephemeral": "true"]) { a, _ in a })
      }
      for bad in [["size": "-1"], ["size": "1G;"], ["mkfsOptions": "-x"], ["backend": "file"]] {
        await expect("INVALID_ARGUMENT") { try await fixture.node.nodePublishVolume(request(bad)) }
      }
      await expect("OUT_OF_RANGE") { try await fixture.node.nodePublishVolume(request(["size": "1Gi"])) }
      for _ in 0..<2 { _ = try await fixture.node.nodePublishVolume(request(["size": "16Mi"])) }
      try write("x", to: fixture.target + "/file")
      await expect("ALREADY_EXISTS") {
        try await fixture.node.nodePublishVolume(request(["size": "16Mi"], readonly: true))
      }
      for _ in 0..<2 { try await fixture.unpublish("csi-0") }
      #expect(!HostPath.exists(fixture.target))
      #expect(try fixture.loops().isEmpty)
      let count = try await fixture.volumeCount()
      #expect(count == 0)
    }
  }
}
