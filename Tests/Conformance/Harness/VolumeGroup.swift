import Glibc

/// The volume group under test, as its administrator and the kernel see it. Environment `STOWAGE_TEST_VOLUME_GROUP`
/// and `STOWAGE_TEST_POOL`.
enum VolumeGroup {
  static let name = variable("STOWAGE_TEST_VOLUME_GROUP")
  static let pool = variable("STOWAGE_TEST_POOL")

  private static func variable(_ name: String) -> String {
    guard let value = Program.environment[name], !value.isEmpty else { fatalError("\(name) is not set") }
    return value
  }

  /// What names in /dev/mapper begin with. Device-mapper names double hyphens.
  private static var prefix: String { mapperName(name) + "-" }

  private static func mapperName(_ name: String) -> String {
    name.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--")
  }

  /// Active devices of volumes and snapshots, `/dev/dm-3`, and their names in /dev/mapper.
  static var devices: [String: String] {
    mapped.filter { $0.value.hasPrefix(prefix + "csi_") || $0.value.hasPrefix(prefix + "css_") }
  }

  /// All devices of device-mapper.
  private static var mapped: [String: String] {
    var found: [String: String] = [:]
    for device in Files.names("/sys/block") where device.hasPrefix("dm-") {
      found["/dev/" + device] = String(Files.text("/sys/block/\(device)/dm/name").dropLast())
    }
    return found
  }

  private static func name(of device: String) -> String { String(device.dropFirst("/dev/".count)) }

  /// The device of a part of the pool: `-tpool`, `_tdata`, or nothing for the pool itself.
  private static func poolDevice(_ part: String) -> String? {
    mapped.first { $0.value == prefix + mapperName(pool) + part }?.key
  }

  /// The size of the thin pool in bytes. A pool without volumes is one device, with volumes it has one below.
  static var poolSize: Int64 {
    guard let device = poolDevice("-tpool") ?? poolDevice("") else { return 0 }
    return (Int64(Files.text("/sys/block/\(name(of: device))/size").dropLast()) ?? 0) * 512
  }

  /// The first MiB of the pool's disk, where LVM keeps what it knows of the group, old versions too.
  static var metadataArea: [UInt8] {
    guard let data = poolDevice("_tdata"), let disk = Files.names("/sys/block/\(name(of: data))/slaves").first else {
      return []
    }
    return Files.bytes("/dev/" + disk, count: 1 << 20)
  }

  /// Names of all logical volumes that belong to volumes and snapshots.
  static func logicalVolumes() async throws -> Set<String> {
    let (status, output) = try await Program.run(["lvs", "--noheadings", "-o", "lv_name", name])
    guard status == 0 else { throw ProgramFailure(arguments: ["lvs", name], reason: output) }
    let names = output.split(whereSeparator: \.isWhitespace).map(String.init)
    return Set(names.filter { $0.hasPrefix("csi_") || $0.hasPrefix("css_") })
  }

  /// Takes away what a failed scenario left.
  static func clear() async {
    for node in devices.keys {
      for entry in HostState.mounts(of: node).reversed() { _ = try? await Program.run(["umount", "-l", entry]) }
      for loop in HostState.loopDevices(over: [node]).keys { _ = try? await Program.run(["losetup", "-d", loop]) }
      _ = try? await Program.run(["dmsetup", "resume", node])
    }
    for volume in (try? await logicalVolumes()) ?? [] {
      _ = try? await Program.run(["lvremove", "-y", "-f", "\(name)/\(volume)"])
    }
  }

  /// Holds the group's lock as another LVM command would, with flock(2): whoever wants to change the group waits.
  final class Lock: Sendable {
    private let file: Int32
    private let inode: UInt64

    init() throws {
      let path = "/run/lock/lvm/V_" + VolumeGroup.name
      file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard file >= 0, flock(file, LOCK_EX) == 0 else { throw FileFailure(path: path, code: errno) }
      var status = stat()
      fstat(file, &status)
      inode = UInt64(status.st_ino)
    }

    deinit { close(file) }

    func release() { flock(file, LOCK_UN) }

    /// Whether somebody waits for the lock: proc(5), /proc/locks.
    var isWanted: Bool {
      Files.text("/proc/locks").split(separator: "\n").contains { $0.contains("->") && $0.contains(":\(inode) ") }
    }
  }
}
