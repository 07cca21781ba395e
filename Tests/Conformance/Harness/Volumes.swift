import CSI
import GRPC
import Testing

func mib(_ count: Int64) -> Int64 { count << 20 }

extension VolumeCapability {
  typealias Mode = AccessMode.Mode

  static func mount(
    _ fsType: String = "ext4", _ mode: Mode = .singleNodeWriter, flags: [String] = [], group: String = ""
  ) -> VolumeCapability {
    VolumeCapability(
      accessType: .mount(MountVolume(fsType: fsType, mountFlags: flags, volumeMountGroup: group)),
      accessMode: AccessMode(mode: mode))
  }

  static func block(_ mode: Mode = .singleNodeWriter) -> VolumeCapability {
    VolumeCapability(accessType: .block(BlockVolume()), accessMode: AccessMode(mode: mode))
  }
}

extension CapacityRange {
  static func atLeast(_ bytes: Int64) -> CapacityRange { CapacityRange(requiredBytes: bytes) }
  static func exactly(_ bytes: Int64) -> CapacityRange { CapacityRange(requiredBytes: bytes, limitBytes: bytes) }
}

extension VolumeContentSource {
  static func snapshot(_ id: String) -> VolumeContentSource {
    VolumeContentSource(type: .snapshot(SnapshotSource(snapshotID: id)))
  }
  static func volume(_ id: String) -> VolumeContentSource {
    VolumeContentSource(type: .volume(VolumeSource(volumeID: id)))
  }
}

extension CreateVolumeRequest {
  /// A request as the provisioner makes it.
  static func named(
    _ name: String, bytes: Int64 = mib(16), _ capabilities: VolumeCapability..., parameters: [String: String] = [:],
    from source: VolumeContentSource? = nil
  ) -> CreateVolumeRequest {
    CreateVolumeRequest(
      name: name, capacityRange: .atLeast(bytes), volumeCapabilities: capabilities.isEmpty ? [.mount()] : capabilities,
      parameters: parameters, volumeContentSource: source)
  }
}

extension Server {
  func create(_ request: CreateVolumeRequest) async throws -> Volume {
    try #require(try await call(Methods.createVolume, request).volume)
  }

  func delete(_ volumes: Volume...) async throws {
    for volume in volumes { try await call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: volume.volumeID)) }
  }

  func snapshot(_ name: String, of volume: Volume) async throws -> Snapshot {
    let request = CreateSnapshotRequest(sourceVolumeID: volume.volumeID, name: name)
    return try #require(try await call(Methods.createSnapshot, request).snapshot)
  }

  func delete(_ snapshots: Snapshot...) async throws {
    for snapshot in snapshots {
      try await call(Methods.deleteSnapshot, DeleteSnapshotRequest(snapshotID: snapshot.snapshotID))
    }
  }

  /// Ids of all volumes in one answer.
  func volumeIDs() async throws -> [String] {
    try await call(Methods.listVolumes, ListVolumesRequest()).entries.compactMap(\.volume?.volumeID)
  }

  func snapshotIDs() async throws -> [String] {
    try await call(Methods.listSnapshots, ListSnapshotsRequest()).entries.compactMap(\.snapshot?.snapshotID)
  }

  /// Ids of all that a server that runs and has a controller lists.
  func listed() async throws -> [String] {
    guard processID != nil else { return [] }
    do { return try await volumeIDs() + snapshotIDs() } catch let status as Status where status.code == .unimplemented {
      return []
    }
  }
}
