import Glibc
import Host
import LVMBackend
import Logging
import Storage
import Testing

/// Tests that use device-mapper: one after the other.
@Suite(.serialized) struct DeviceMapperSuite {}

/// A volume group with a thin pool on the scratch disks, made by LVM's programs as an administrator would, and taken
/// apart after the test. Needs the disks that STOWAGE_TEST_DISKS lists (see hack/guest).
struct TestGroup: Sendable {
  /// The group.
  let name: String
  /// Its thin pool.
  let pool: String
  /// The disks that the group does not use.
  let spareDisks: [String]
  /// For the worker.
  let runtimeDirectory: String

  static let disks = (getenv("STOWAGE_TEST_DISKS").map { String(cString: $0) } ?? "").split(separator: " ").map(
    String.init)

  /// - Parameters:
  ///   - disks: how many of the scratch disks the group takes.
  ///   - pool: the pool's size; nil: no pool.
  ///   - extent: the group's unit of allocation.
  static func use<T>(
    disks count: Int = 1, pool size: ByteCount? = .gib(1), extent: ByteCount = .mib(4),
    _ body: (TestGroup) async throws -> T
  ) async throws -> T {
    try #require(disks.count >= count, "these tests need \(count) scratch disks in STOWAGE_TEST_DISKS: see hack/guest")
    var template = Array("/tmp/stowage-lvm-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemCallError("mkdtemp", errno: errno) }
    let group = TestGroup(
      name: "vg0", pool: "pool0", spareDisks: Array(disks.dropFirst(count)),
      runtimeDirectory: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    let result: Result<T, any Error>
    do {
      try await run(["vgcreate", "-s", "\(extent.bytes)b", group.name] + disks.prefix(count))
      if let size {
        try await run(["lvcreate", "--type", "thin-pool", "-L", "\(size.bytes)b", "-n", group.pool, group.name])
      }
      result = .success(try await body(group))
    } catch {
      result = .failure(error)
    }
    await group.clean()
    return try result.get()
  }

  private func clean() async {
    let mounts = ((try? MountTable.read())?.entries ?? []).filter { $0.mountPoint.hasPrefix(runtimeDirectory + "/") }
    for mount in mounts.reversed() { try? Mount.unmount(mount.mountPoint) }
    do {
      let groups = try await Self.run(["vgs", "--noheadings", "-o", "vg_uuid"])
      // Warnings are of more than one word.
      for uuid in groups.split(separator: "\n").map({ $0.drop { $0 == " " } }) where !uuid.contains(" ") {
        try await Self.run(["vgremove", "-y", "-ff", "-S", "vg_uuid=\(uuid)"])
      }
      for disk in Self.disks { try await Self.run(["wipefs", "-aq", disk]) }
      try await Self.run(["rm", "-rf", "--one-file-system", runtimeDirectory])
    } catch {
      Issue.record("the scratch disks cannot be cleaned: \(error)")
    }
  }

  /// A program as an administrator runs it; its output.
  @discardableResult
  static func run(_ argv: [String]) async throws -> String {
    let output = try await Command.run(argv, limit: .seconds(120))
    guard output.succeeded else { throw StorageError.failed("\(argv): \(output.status): \(output.text)") }
    return output.text
  }

  func path(_ name: String) -> LVPath { LVPath(self.name, name) }

  func settings() -> LVM.Settings {
    LVM.Settings(
      executable: Self.stowage, runtimeDirectory: runtimeDirectory, lockDirectory: nil, groups: [name: nil])
  }

  /// The program under test, beside the test runner.
  static let stowage = HostPath.parent(of: HostPath.resolve("/proc/self/exe") ?? "") + "/stowage"

  /// Runs `body` with LVM started on this group.
  func started<T>(_ settings: LVM.Settings? = nil, _ body: (LVM) async throws -> T) async throws -> T {
    let lvm = LVM(settings ?? self.settings())
    let result: Result<T, any Error>
    do {
      try await lvm.start()
      result = .success(try await body(lvm))
    } catch {
      result = .failure(error)
    }
    await lvm.close()
    return try result.get()
  }

  /// A thin volume to make.
  func thin(_ name: String, _ size: ByteCount = .mib(64), tags: Set<String> = []) -> NewLogicalVolume {
    NewLogicalVolume(path(name), size: size, kind: .thin(pool: pool), tags: tags)
  }

  func snapshot(_ name: String, of origin: String, tags: Set<String> = []) -> NewLogicalVolume {
    NewLogicalVolume(path(name), size: .zero, kind: .snapshot(of: origin), tags: tags)
  }

  /// A field of a volume as lvs(8) shows it; nil when there is no such volume.
  func lvs(_ name: String, _ field: String) async throws -> String? {
    let output = try await Command.run(
      ["lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", field, "\(path(name))"], limit: .seconds(60))
    guard output.succeeded else { return nil }
    return String(output.text.split(separator: "\n").last?.drop { $0 == " " } ?? "").trimmed
  }
}

extension String {
  var trimmed: String { String(reversed().drop { $0 == " " || $0 == "\n" }.reversed()).leading }
  private var leading: String { String(drop { $0 == " " || $0 == "\n" }) }
}

/// Whether something becomes true in time.
func eventually(
  _ condition: () async throws -> Bool, within limit: Duration = .seconds(60)
) async throws -> Bool {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(20))
  }
  return false
}
