import Glibc
import Storage

/// A moment at which nothing writes to a set of block devices, whatever they are: loop, device-mapper, disks.
package enum PointInTime {
  /// Calls `body` at a moment that holds for all devices at once, as often as it takes to meet one.
  ///
  /// File systems that are mounted from the devices, or from what lies on them (dm-crypt), are frozen while `body` runs
  /// and always thawed. Devices that cannot be frozen (raw block volumes, file systems mounted where this process
  /// cannot see them) are flushed and watched: when one was written to meanwhile, what `body` did counts for nothing
  /// and it is called again.
  /// - Parameters:
  ///   - executable: see `FreezeGuard.freeze`.
  ///   - watching: false where `body` itself sees to it that raw writes fall before or after.
  ///   - devices: paths of the devices; asked before each attempt, while nothing is frozen yet.
  /// - Returns: nil when a device was written to during every attempt.
  /// - Throws: `.precondition` when a device must be watched and cannot be; what `freeze`, `devices` and `body` throw.
  package static func cut<Value>(
    executable: String, attempts: Int = 3, watching: Bool = true, devices: () throws -> [String],
    body: () async throws -> Value
  ) async throws -> Value? {
    for _ in 0..<attempts {
      let writers = try Writers(to: devices())
      // Most of it is written out before anybody has to wait for the rest.
      if !writers.mountPoints.isEmpty { for device in writers.devices { try device.flush() } }
      let freeze =
        writers.mountPoints.isEmpty
        ? nil : try await FreezeGuard.freeze(writers.mountPoints, executable: executable)
      let outcome: Result<Value?, any Error>
      do {
        outcome = .success(try await attempt(writers.devices, watching: watching, body))
      } catch {
        outcome = .failure(error)
      }
      do {
        try await freeze?.thaw()
      } catch {
        FreezeGuard.thawAll(writers.mountPoints)
        throw error
      }
      if let value = try outcome.get() { return value }
    }
    return nil
  }

  /// - Returns: nil when `watching` and one of `devices` was written to meanwhile.
  private static func attempt<Value>(
    _ devices: [StackedDevice], watching: Bool, _ body: () async throws -> Value
  ) async throws -> Value? {
    for device in devices { try device.flush() }
    let before = watching ? try devices.map(WriteCount.init) : []
    let value = try await body()
    let after = watching ? try devices.map(WriteCount.init) : []
    return before == after && after.allSatisfy { $0.inFlight == 0 } ? value : nil
  }
}

/// Who can write to a set of devices right now.
private struct Writers {
  /// One mount point for each mounted file system: frozen, it writes nothing.
  var mountPoints: [String] = []
  /// Devices that cannot be frozen.
  var devices: [StackedDevice] = []

  init(to paths: [String]) throws {
    let mounts = try MountTable.read()
    for path in paths {
      let device = try StackedDevice(path)
      let entries = ([device] + device.holders)
        .flatMap { mounts.entries(ofDevice: $0.number) }
        .filter { !$0.superOptions.contains("ro") }
      // A mount point that is mounted over shows another file system than the one to freeze.
      if let visible = entries.first(where: { mounts.entries(at: $0.mountPoint).last?.id == $0.id }) {
        mountPoints.append(visible.mountPoint)
      } else {
        devices.append(device)
      }
    }
  }
}

/// A block device and those that lie on it, such as dm-crypt.
private struct StackedDevice {
  let path: String
  let number: DeviceNumber
  /// Those on the device itself before those on them.
  private(set) var holders: [StackedDevice] = []

  /// - Throws: `SystemCallError` when there is no such device.
  init(_ path: String) throws {
    self.path = path
    number = try DeviceNumber.of(device: path)
    // The directory is missing where the kernel keeps no holders.
    for name in (try? Directory.names(in: "/sys/dev/block/\(number)/holders")) ?? [] {
      let holder = try StackedDevice(Self.node(of: name))
      holders.append(holder)
      holders += holder.holders
    }
  }

  /// Where no device manager makes `/dev/dm-3` there is the node that libdevmapper makes.
  private static func node(of name: String) -> String {
    let plain = "/dev/\(name)"
    guard access(plain, F_OK) != 0, let own = FileContents.line("/sys/class/block/\(name)/dm/name") else {
      return plain
    }
    return "/dev/mapper/\(own)"
  }

  /// What the upper ones write out lands in the lower ones.
  func flush() throws {
    for holder in holders.reversed() { try BlockDevice.flush(holder.path) }
    try BlockDevice.flush(path)
  }
}

/// How much was written to a block device so far (Documentation/block/stat.rst).
private struct WriteCount: Equatable {
  let writes: Int64
  let discards: Int64
  let inFlight: Int64

  /// - Throws: `.precondition` when the kernel keeps no counts for this device.
  init(_ device: StackedDevice) throws {
    let sysfs = "/sys/dev/block/\(device.number)"
    let counts = (FileContents.line(sysfs + "/stat") ?? "").split(separator: " ").compactMap { Int64($0) }
    let inFlight = (FileContents.line(sysfs + "/inflight") ?? "").split(separator: " ").compactMap { Int64($0) }
    guard counts.count > 11, inFlight.count == 2, FileContents.line(sysfs + "/queue/iostats") == "1" else {
      throw StorageError.precondition("\(device.path) is in use and its writes cannot be watched")
    }
    writes = counts[4]
    discards = counts[11]
    self.inFlight = inFlight[1]
  }
}

extension Timestamp {
  /// The host's clock.
  package static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
  }
}
