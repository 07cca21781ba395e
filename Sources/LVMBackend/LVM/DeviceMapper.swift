import Storage

/// What the kernel's device-mapper tells and takes (libdevmapper): no process, no LVM lock.
package enum DeviceMapper {
  package struct Info: Hashable, Sendable {
    package var major: UInt32
    package var minor: UInt32
    package var uuid: String
    package var isSuspended: Bool
    package var isReadOnly: Bool
    package var openCount: Int
  }

  /// Documentation/admin-guide/device-mapper/thin-provisioning.rst, "Status" of the thin-pool target.
  package struct PoolStatus: Hashable, Sendable {
    package enum Mode: Hashable, Sendable { case writable, readOnly, outOfDataSpace, failed }
    package var mode: Mode
    package var needsCheck: Bool
    package var transactionID: Int64
    package var usedData: ByteCount
    package var totalData: ByteCount
    package var usedMetadata: ByteCount
    package var totalMetadata: ByteCount
    /// Whether a metadata snapshot is held.
    package var holdsMetadataSnapshot: Bool
  }

  /// `vg-lv` with hyphens doubled, as /dev/mapper has it.
  package static func name(of path: LVPath) -> String { fatalError("not written yet") }
  package static func devicePath(of path: LVPath) -> String { "/dev/mapper/" + name(of: path) }
  /// nil when there is no such device: the volume is not active.
  package static func info(_ path: LVPath) throws -> Info? { fatalError("not written yet") }
  /// The pool's own device (`-tpool`); nil when it is not active.
  package static func poolStatus(_ pool: LVPath) throws -> PoolStatus? { fatalError("not written yet") }
  /// Bytes of an active thin volume that are mapped; nil when it is not active.
  package static func mapped(_ path: LVPath) throws -> ByteCount? { fatalError("not written yet") }
  /// Sends a message to the pool's own device, such as `reserve_metadata_snap`.
  package static func message(_ text: String, toPool pool: LVPath) throws { fatalError("not written yet") }
}
