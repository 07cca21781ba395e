import Host
import Storage

extension FileBackend: NodeBackend, EphemeralBackend {
  /// A loop device over the volume's file; read-only when the connection or its publish context says so. A volume that
  /// is connected for writing already is given to readers as well: their mounts are read-only.
  package func connect(_ id: NativeID, _ connection: NodeConnection) async throws -> NodeSource {
    let record = try existing(id)
    let data = layout.data(ofVolume: id)
    guard let usage = try disk.usage(of: data) else { throw missingData(record) }
    guard usage.size >= record.capacity else {
      throw StorageError.dataLoss("the data of volume \(id) is shorter than the volume")
    }
    let readOnly = connection.readOnly || connection.publishContext[LocalAttachment.readOnlyKey] == "true"
    let present = try LoopDevice.attached(to: data)
    if let device = present.first(where: { $0.isReadOnly == readOnly }) ?? present.first(where: { !$0.isReadOnly }) {
      return .block(device: device.path)
    }
    if let device = present.first {
      throw StorageError.precondition("volume \(id) is connected read-only as \(device.path)")
    }
    let device = try LoopDevice.attach(data, readOnly: readOnly, directIO: configuration.directIO)
    CrashPoint.connectAttached.reached()
    return .block(device: device.path)
  }

  package func connected(_ id: NativeID) async throws -> NodeSource? {
    try devices(of: id).first.map { .block(device: $0.path) }
  }

  package func disconnect(_ id: NativeID) async throws {
    for device in try devices(of: id) {
      if !device.isReadOnly { try BlockDevice.flush(device.path) }
      try device.detach()
    }
  }

  package func refreshSize(_ id: NativeID) async throws -> ByteCount {
    let record = try existing(id)
    for device in try devices(of: id) { try device.refreshSize() }
    return record.capacity
  }

  private func devices(of id: NativeID) throws -> [LoopDevice] {
    try record(id) == nil ? [] : LoopDevice.attached(to: layout.data(ofVolume: id))
  }

  package func formatState(_ id: NativeID) async throws -> FormatState { try existing(id).format }

  package func setFormatState(_ state: FormatState, for id: NativeID) async throws {
    var record = try existing(id)
    guard record.format != state else { return }
    record.format = state
    try update(record)
    CrashPoint.formatRecorded.reached()
  }

  package func encryption(of id: NativeID) async throws -> VolumeEncryption? {
    VolumeEncryption(canonical: try existing(id).parameters)
  }

  package func formatOptions(for id: NativeID, type: FilesystemType) async throws -> [String] {
    let arguments = MkfsOptions.split(try existing(id).parameters["mkfsOptions"] ?? "")
    try MkfsOptions.check(arguments, for: type)
    return arguments
  }
}
