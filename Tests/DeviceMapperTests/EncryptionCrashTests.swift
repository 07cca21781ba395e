import CSI
import Glibc
import Host
import Storage
import Testing

@testable import Driver

/// Deaths in the middle of work on encrypted volumes, and what they leave.
@Suite(.serialized) struct EncryptionCrashTests {
  /// Lets the processes that are started during `body` die at `step`.
  private func dying(at step: CrashPoint, _ body: () async throws -> Void) async throws {
    setenv("STOWAGE_CRASH_AT", step.rawValue, 1)
    defer { unsetenv("STOWAGE_CRASH_AT") }
    try await body()
  }

  @Test(arguments: [
    CrashPoint.luksBegun, .luksHeaderWritten, .luksFormatted, .luksOpened, .luksWiped,
  ])
  func `a first staging that dies half-way succeeds when repeated`(_ step: CrashPoint) async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      try await dying(at: step) { await expectStatus("INTERNAL") { try await host.stage() } }
      try host.expectClean()
      // Another passphrase: nothing of the first attempt may count.
      try await host.stage(passphrase: "second")
      try save("kept", in: host.staging + "/file")
      try await host.unstage()
      await expectStatus("UNAUTHENTICATED") { try await host.stage() }
      try await host.stage(passphrase: "second")
      #expect(try load(host.staging + "/file") == "kept")
    }
  }

  @Test func `steps on a used volume that die are repeated without loss`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      try await host.stage()
      try save("kept", in: host.staging + "/file")
      try await dying(at: .luksClosed) { await expectStatus("INTERNAL") { try await host.unstage() } }
      try await host.unstage()
      try host.expectClean()
      try await dying(at: .luksOpened) { await expectStatus("INTERNAL") { try await host.stage() } }
      try host.expectClean()
      try await host.stage()
      try await dying(at: .luksResized) {
        await expectStatus("INTERNAL") { try await host.expand(mib: 64, at: host.staging) }
      }
      _ = try await host.node.nodeExpandVolume(
        NodeExpandVolumeRequest(volumeID: "pvc-1", volumePath: host.staging))
      #expect(try Filesystem.size(mountPoint: host.staging) > .mib(40))
      #expect(try load(host.staging + "/file") == "kept")
    }
  }

  @Test func `the next server finds what the last one left open, staged or not`() async throws {
    try await EncryptedHost.with { first in
      try await first.create()
      // Killed after it opened the device, before it recorded anything more.
      let id = first.driver.registry.parse("pvc-1")
      _ = try await first.node.connect(
        id, NodeConnection(secrets: Secrets(["passphrase": EncryptedHost.passphrase])), isRepeat: { _ in false })
      let second = try await first.successor()
      await expectStatus("UNAUTHENTICATED") { try await second.stage(passphrase: "guessed") }
      _ = try await second.node.connect(
        id, NodeConnection(secrets: Secrets(["passphrase": EncryptedHost.passphrase])), isRepeat: { _ in false })
      try await second.stage()
      #expect(try second.opened().count == 1)
      try await second.publish()
      try save("kept", in: second.target + "/file")
      let third = try await second.successor()
      let stats = try await third.node.nodeGetVolumeStats(
        NodeGetVolumeStatsRequest(volumeID: "pvc-1", volumePath: third.target))
      #expect(stats.usage.count == 2)
      try await third.stage()
      try await third.unpublish()
      try await third.unstage()
      try third.expectClean()
    }
  }

  @Test func `a mapping without a table, left by a process that was killed, is in nobody's way`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      let name = EncryptedName.of(host.driver.registry.parse("pvc-1"))
      let made = try await Command.run(["dmsetup", "create", "--notable", name], limit: .seconds(30))
      try #require(made.succeeded, "\(made.text)")
      try await host.stage()
      try await host.unstage()
      try host.expectClean()
    }
  }

  @Test func `a step waits for one that outlived its server`() async throws {
    try await EncryptedHost.with { host in
      try await host.create()
      let loop = try LoopDevice.attach(host.data(), readOnly: false)
      let device = open(loop.path, O_RDONLY | O_CLOEXEC)
      try #require(device >= 0 && flock(device, LOCK_EX) == 0)
      let waiting = Task { try await host.stage() }
      try await Task.sleep(for: .seconds(2))
      #expect(try host.opened().isEmpty)
      close(device)
      try await waiting.value
      #expect(try host.opened().count == 1)
    }
  }
}
