import CLinux
import Glibc
import Storage

/// The kernel's number of a device: `major:minor`.
package struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
  package let major: UInt32
  package let minor: UInt32

  package init(major: UInt32, minor: UInt32) {
    self.major = major
    self.minor = minor
  }

  /// Reads `8:16`; nil for anything else.
  package init?(parsing text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else { return nil }
    self.init(major: major, minor: minor)
  }

  /// The number of the block device that the node at `path` stands for; symbolic links are followed.
  /// - Throws: `SystemCallError` when there is no such file, `StorageError.invalid` when it is no block device.
  package static func of(device path: String) throws -> DeviceNumber {
    let attributes = try FileAttributes.of(path, followLink: true)
    guard attributes.isBlockDevice else { throw StorageError.invalid("\(path) is not a block device") }
    return attributes.represents
  }

  package var description: String { "\(major):\(minor)" }
}
