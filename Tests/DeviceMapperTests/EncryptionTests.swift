import CSI
import Glibc
import Host
import Storage
import Testing

@testable import Driver

/// Encrypted volumes over real dm-crypt.
@Suite(.serialized) struct EncryptionTests {
  private static let secret = "a sentence that must not be readable on the disk"

  @Test(arguments: ["ext4", "xfs", "btrfs"])
  func `what is written comes back, and the device's own bytes do not tell it`(_ type: String) async throws {
    try await EncryptedHost.with { host in
      let capability = EncryptedHost.mount(type)
      try await host.create(mib: 336, capability)
      for _ in 0..<2 { try await host.stage("pvc-1", capability) }
      for _ in 0..<2 { try await host.publish("pvc-1", capability) }
      try save(String(repeating: Self.secret, count: 500), in: host.target + "/file")
      let stats = try await host.node.nodeGetVolumeStats(
        NodeGetVolumeStatsRequest(volumeID: "pvc-1", volumePath: host.target))
      #expect(stats.usage.map(\.unit) == [.bytes, .inodes])
      #expect(stats.usage[0].total <= 320 << 20 && stats.usage[0].total > 200 << 20)
      for _ in 0..<2 { try await host.unpublish() }
      for _ in 0..<2 { try await host.unstage() }
      try host.expectClean()
      #expect(try DeviceContent.probe(host.data()) == .holds(type: "crypto_LUKS"))
      let found = try await Command.run(["grep", "-c", "-F", Self.secret, host.data()], limit: .seconds(60))
      #expect(found.status == .exited(1), "\(found.text)")

      try await host.stage("pvc-1", capability)
      #expect(try load(host.staging + "/file").hasPrefix(Self.secret))
      let entry = try #require(try MountTable.read().entries(at: host.staging).last)
      #expect(entry.source.hasPrefix("/dev/dm-"))
      try await host.unstage()
      try host.expectClean()
      _ = try await host.controller.deleteVolume(DeleteVolumeRequest(volumeID: "pvc-1"))
    }
  }

  @Test func `the smallest volume has room for a file system`() async throws {
    try await EncryptedHost.with { host in
      let volume = try await host.create(mib: 1)
      #expect(volume.capacityBytes == 17 << 20)
      try await host.stage()
      try save("x", in: host.staging + "/file")
    }
  }

  @Test func `a wrong passphrase is UNAUTHENTICATED, a missing one INVALID_ARGUMENT; nothing changes`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      let missing = await expectStatus("INVALID_ARGUMENT") { try await host.stage(passphrase: nil) }
      #expect(missing.contains("passphrase"))
      await expectStatus("INVALID_ARGUMENT") { try await host.stage(passphrase: "") }
      #expect(try DeviceContent.probe(host.data()) == .empty)
      try await host.stage()
      try save("kept", in: host.staging + "/file")
      try await host.unstage()
      let before = try await Self.digest(host.data())
      for wrong in ["wrong", EncryptedHost.passphrase + "\n", EncryptedHost.passphrase + " "] {
        let message = await expectStatus("UNAUTHENTICATED") { try await host.stage(passphrase: wrong) }
        #expect(!message.contains(wrong))
        try host.expectClean()
      }
      #expect(try await Self.digest(host.data()) == before)
      try await host.stage()
      #expect(try load(host.staging + "/file") == "kept")
    }
  }

  @Test func `foreign content is never made into an encrypted volume`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      _ = try await Command.run(["mkfs.ext4", "-q", "-F", host.data()], limit: .seconds(60))
      let before = try await Self.digest(host.data())
      await expectStatus("FAILED_PRECONDITION") { try await host.stage() }
      try host.expectClean()
      #expect(try await Self.digest(host.data()) == before)

      try await host.create("pvc-2")
      try save("somebody's bytes", in: host.data("pvc-2"))
      await expectStatus("FAILED_PRECONDITION") { try await host.stage("pvc-2") }
      #expect(try load(host.data("pvc-2"), 16) == "somebody's bytes")
    }
  }

  @Test func `a used volume that lost its header is not made again`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      try await host.stage()
      try await host.unstage()
      let wiped = try await Command.run(
        ["dd", "if=/dev/zero", "of=\(host.data())", "bs=1M", "count=32", "conv=notrunc"], limit: .seconds(60))
      #expect(wiped.succeeded)
      await expectStatus("FAILED_PRECONDITION") { try await host.stage() }
      try host.expectClean()
      #expect(try DeviceContent.probe(host.data()) == .empty)
    }
  }

  @Test(arguments: ["ext4", "xfs"])
  func `a mounted volume grows without a passphrase`(_ type: String) async throws {
    try await EncryptedHost.with { host in
      let capability = EncryptedHost.mount(type)
      try await host.create(mib: 320, capability)
      try await host.stage("pvc-1", capability)
      try await host.publish("pvc-1", capability)
      try save("kept", in: host.target + "/file")
      try await host.expand(mib: 400, at: host.target)
      #expect(try BlockDevice.size(try #require(host.opened().first).path) == .mib(400 - 16))
      #expect(try Filesystem.size(mountPoint: host.staging) > .mib(380))
      #expect(try load(host.target + "/file") == "kept")
    }
  }

  @Test func `a raw block volume is its opened device, and grows`() async throws {
    try await EncryptedHost.with { host in
      try await host.create("pvc-1", EncryptedHost.block)
      try await host.stage("pvc-1", EncryptedHost.block)
      try await host.publish("pvc-1", EncryptedHost.block)
      try save(Self.secret, in: host.target)
      let stats = try await host.node.nodeGetVolumeStats(
        NodeGetVolumeStatsRequest(volumeID: "pvc-1", volumePath: host.target))
      #expect(stats.usage.map(\.total) == [16 << 20])
      try await host.expand(mib: 48, at: host.target)
      #expect(try BlockDevice.size(host.target) == .mib(32))
      try await host.unpublish()
      try await host.publish("pvc-1", EncryptedHost.block, readonly: true)
      #expect(try BlockDevice.isReadOnly(host.target))
      #expect(try load(host.target, Self.secret.utf8.count) == Self.secret)
      try await host.unpublish()
      try await host.unstage()
      try host.expectClean()
      try await host.stage("pvc-1", EncryptedHost.block)
      #expect(try load(host.staging + "/device", Self.secret.utf8.count) == Self.secret)
    }
  }

  @Test func `clones and snapshots of a mounted volume open with its passphrase and stay encrypted`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      try await host.stage()
      try save("kept", in: host.staging + "/file")
      let clone = VolumeContentSource(type: .volume(.init(volumeID: "pvc-1")))
      try await host.create("clone", source: clone)
      let cut = try await host.controller.createSnapshot(.init(sourceVolumeID: "pvc-1", name: "snap"))
      let id = try #require(cut.snapshot).snapshotID
      let restore = VolumeContentSource(type: .snapshot(.init(snapshotID: id)))
      try await host.create("restored", mib: 64, source: restore)
      for source in [clone, restore] {
        await expectStatus("INVALID_ARGUMENT") { try await host.create("plain", parameters: [:], source: source) }
      }
      try save("later", in: host.staging + "/file")
      for name in ["clone", "restored"] {
        await expectStatus("UNAUTHENTICATED") {
          try await host.stage(name, at: host.root + "/staging-2", passphrase: "other")
        }
        try await host.stage(name, at: host.root + "/staging-2")
        #expect(try load(host.root + "/staging-2/file") == "kept")
        try await host.unstage(name, at: host.root + "/staging-2")
      }
      try await host.create("plain", parameters: [:])
      await expectStatus("INVALID_ARGUMENT") {
        try await host.create("hidden", source: VolumeContentSource(type: .volume(.init(volumeID: "plain"))))
      }
    }
  }

  @Test func `an ephemeral volume is encrypted when its pod asks for it`() async throws {
    try await EncryptedHost.with { host in
      let request = NodePublishVolumeRequest(
        volumeID: "inline-1", targetPath: host.target, volumeCapability: EncryptedHost.mount(),
        secrets: ["passphrase": "of the pod"],
        volumeContext: ["csi.storage.k8s.io/ephemeral": "true", "size": "32Mi", "encryption": "luks2"])
      var unsecret = request
      unsecret.secrets = [:]
      await expectStatus("INVALID_ARGUMENT") { try await host.node.nodePublishVolume(unsecret) }
      try host.expectClean()
      for _ in 0..<2 { _ = try await host.node.nodePublishVolume(request) }
      try save("x", in: host.target + "/file")
      #expect(try host.opened().count == 1)
      try await host.unpublish("inline-1")
      try host.expectClean()
    }
  }

  static func digest(_ path: String) async throws -> String {
    try await Command.run(["sha256sum", path], limit: .seconds(60)).text
  }
}
