import CLinux
import Glibc
import Storage

/// A device that device-mapper shows over others, as sysfs tells now (Documentation/ABI/testing/sysfs-block-dm).
package struct MappedDevice: Hashable, Sendable {
  /// The kernel's number of it: the 3 of `dm-3`.
  package let number: Int
  /// What whoever made it calls it.
  package let name: String
  /// Tells what it is: `CRYPT-LUKS2-...`, `LVM-...`.
  package let uuid: String

  /// nil when there is no such device.
  package init?(number: Int) {
    let sysfs = "/sys/block/dm-\(number)/dm"
    guard let name = FileContents.line(sysfs + "/name"), let uuid = FileContents.line(sysfs + "/uuid") else {
      return nil
    }
    self.number = number
    self.name = name
    self.uuid = uuid
  }

  package var isLUKS2: Bool { uuid.hasPrefix("CRYPT-LUKS2-") }

  /// The node under the kernel's own name: mounts of it show this name, and not that of a link in /dev/mapper.
  package var path: String { "/dev/dm-\(number)" }

  /// Whether it works: one whose maker was killed half-way has no table, and so no size.
  package var isLive: Bool { FileContents.line("/sys/block/dm-\(number)/size").map { $0 != "0" } ?? false }

  /// Makes the device's node where no device manager does (containers).
  /// - Throws: `SystemCallError`.
  package func makeNodeIfMissing() throws {
    guard access(path, F_OK) != 0, let text = FileContents.line("/sys/block/dm-\(number)/dev"),
      let device = DeviceNumber(parsing: text)
    else { return }
    let result = cl_make_device_node(path, 0o660, device.major, device.minor)
    if result != -EEXIST { try check(result, "mknod", path) }
  }

  /// The mapped devices that lie right on the block device `device`, by number.
  /// - Throws: `SystemCallError` when there is no such device.
  package static func over(_ device: String) throws -> [MappedDevice] {
    try BlockDevice.holders(of: device).compactMap(number(of:)).sorted().compactMap(MappedDevice.init(number:))
  }

  /// The mapped device called `name`, wherever it lies; looks at all that there are.
  /// - Throws: `SystemCallError`.
  package static func named(_ name: String) throws -> MappedDevice? {
    try Directory.names(in: "/sys/block").lazy.compactMap(number(of:)).compactMap(MappedDevice.init(number:))
      .first { $0.name == name }
  }

  private static func number(of kernelName: String) -> Int? {
    kernelName.hasPrefix("dm-") ? Int(kernelName.dropFirst(3)) : nil
  }
}

extension BlockDevice {
  /// The kernel's names of the devices that are made of this one (`dm-3`, `md0`), which keep it for themselves.
  /// - Throws: `SystemCallError`, `StorageError.invalid` when `path` is no block device.
  package static func holders(of path: String) throws -> [String] {
    let directory = "/sys/dev/block/\(try DeviceNumber.of(device: path))/holders"
    // A partition's holders are there as well; a device without the directory can have none.
    return HostPath.exists(directory) ? try Directory.names(in: directory) : []
  }

  /// Through what a volume's device is used: the encrypted device that was opened over it, else the device itself.
  /// - Throws: `SystemCallError`.
  package static func top(of path: String) throws -> String {
    try MappedDevice.over(path).first { $0.isLUKS2 && $0.isLive }?.path ?? path
  }
}
