/// What a connected volume is on this host.
package enum NodeSource: Hashable, Sendable {
  /// A block device: absolute path of its node.
  case block(device: String)
  /// Something that mounts as it is: `mount -t type -o options source`.
  case filesystem(source: String, type: String, options: [String])
}

/// How far the making of a volume's file system has come. Durable where the backend can record it.
package enum FormatState: Hashable, Sendable {
  /// Nothing was ever made: format when a probe finds the device empty.
  case unformatted
  /// A LUKS header was begun and never seen to end; the volume was never used: make it again.
  case encrypting
  /// A mkfs was begun and never seen to end; the volume was never mounted: make it again.
  case formatting(FilesystemType)
  /// Made, mounted perhaps: never format again.
  case formatted
  /// A block-for-block copy of a formatted volume, never mounted: give the file system an identity of its own before
  /// its first mount, then record `formatted`. Never format.
  case copied(FilesystemType)
  /// The backend cannot record it: format only what a probe finds empty.
  case unrecorded
}

/// The contexts that a node call carries.
package struct NodeConnection: Hashable, Sendable {
  package var publishContext: [String: String]
  package var volumeContext: [String: String]
  package var secrets: Secrets
  package var readOnly: Bool
  package init(
    publishContext: [String: String] = [:], volumeContext: [String: String] = [:], secrets: Secrets = .none,
    readOnly: Bool = false
  ) {
    self.publishContext = publishContext
    self.volumeContext = volumeContext
    self.secrets = secrets
    self.readOnly = readOnly
  }
}

/// Brings volumes to this host and takes them away again. Formatting, mounting, growing and statistics are the
/// driver's; state is read from the kernel and the backend, never remembered.
package protocol NodeBackend: Sendable {
  var name: BackendName { get }

  /// Makes the volume present on this host; the same source on a repeat.
  /// - Throws: `.notFound` for an unknown volume.
  func connect(_ id: NativeID, _ connection: NodeConnection) async throws -> NodeSource

  /// What `connect` gave, read from the kernel now, or nil when the volume is not connected here. Cheap.
  func connected(_ id: NativeID) async throws -> NodeSource?

  /// Flushes and takes the volume away; succeeds when it is not connected. The driver has unmounted it.
  func disconnect(_ id: NativeID) async throws

  /// Lets the connected device show the volume's present size and returns that size.
  func refreshSize(_ id: NativeID) async throws -> ByteCount

  func formatState(_ id: NativeID) async throws -> FormatState
  /// Durable when it returns.
  func setFormatState(_ state: FormatState, for id: NativeID) async throws
  /// Further arguments for mkfs of `type`, from the volume's parameters.
  func formatOptions(for id: NativeID, type: FilesystemType) async throws -> [String]

  /// How the volume's bytes are encrypted on this host before they reach the device; nil: not at all.
  func encryption(of id: NativeID) async throws -> VolumeEncryption?
}

extension NodeBackend {
  package func encryption(of id: NativeID) async throws -> VolumeEncryption? { nil }
}

/// Encryption that the node does, below the file system and above the volume's device.
package enum VolumeEncryption: String, Hashable, Sendable, CaseIterable {
  /// LUKS version 2; the passphrase comes with the node's secrets.
  case luks2

  /// As canonical parameters tell it.
  package init?(canonical parameters: [String: String]) {
    guard let encryption = parameters["encryption"].flatMap(VolumeEncryption.init(rawValue:)) else { return nil }
    self = encryption
  }
}

/// The most I/O that one pod may do on a volume, per second; nil: as much as it can.
package struct IOLimits: Hashable, Sendable {
  package var readOperations: Int64?
  package var writeOperations: Int64?
  package var readBytes: Int64?
  package var writeBytes: Int64?
  package init(
    readOperations: Int64? = nil, writeOperations: Int64? = nil, readBytes: Int64? = nil, writeBytes: Int64? = nil
  ) {
    self.readOperations = readOperations
    self.writeOperations = writeOperations
    self.readBytes = readBytes
    self.writeBytes = writeBytes
  }
  package var isEmpty: Bool { self == IOLimits() }
}

/// A backend whose volumes may have limits, which the node puts on the pods that use them.
package protocol IOLimitingBackend: NodeBackend {
  /// nil: none. Cheap: asked at every publish.
  func ioLimits(of id: NativeID) async throws -> IOLimits?
}
