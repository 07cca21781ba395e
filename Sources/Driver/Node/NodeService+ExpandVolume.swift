import CSI
import Host
import Storage

extension NodeService {
  /// NodeExpandVolume: the device follows the volume's size, then its file system follows the device, mounted. Where no
  /// controller expands, the volume itself grows first.
  func nodeExpandVolume(_ request: NodeExpandVolumeRequest) async throws -> NodeExpandVolumeResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let path = try FieldRules.path(request.volumePath, "volume_path")
    let range = try CapacityRange(validating: request.capacityRange)
    _ = try request.volumeCapability.map(VolumeCapability.init(validating:))
    return try await gate.run(exclusive: [.volume(id), .nodeVolume(id)], request: request) {
      let place = try await place(of: id, at: path)
      if configuration.expansion == .node { try await expand(id, range, Secrets(request.secrets)) }
      let size = try await registry.backend(of: id).refreshSize(id.native)
      try check(size, against: range)
      switch place {
      case .filesystem(let entry): try await growFilesystem(of: id, entry)
      case .device: try await refreshReadOnlyLoops(of: id)
      }
      var response = NodeExpandVolumeResponse()
      response.capacityBytes = size.bytes
      return response
    }
  }

  /// A volume that is large enough already is a success, so that a repeat goes on with what is on it.
  ///
  /// - Throws: `.outOfRange` also without space: the kubelet takes only that as final and lets the claim be lowered,
  ///   RESOURCE_EXHAUSTED it repeats for ever.
  private func expand(_ id: QualifiedID, _ range: CapacityRange, _ secrets: Secrets) async throws {
    guard range.required != nil, let backend = registry.backend(of: id) as? any ExpandableBackend else { return }
    do {
      _ = try await backend.expand(id.native, to: range, secrets: secrets)
    } catch StorageError.exhausted(let reason) {
      throw StorageError.outOfRange(reason)
    }
  }

  private func check(_ size: ByteCount, against range: CapacityRange) throws {
    if let limit = range.limit, size > limit {
      throw StorageError.outOfRange("the volume has \(size), more than limit_bytes \(limit.bytes)")
    }
    if let required = range.required, size < required {
      let hint = configuration.expansion == .controller ? ": ControllerExpandVolume comes first" : ""
      throw StorageError.outOfRange("the volume has \(size), not \(required)\(hint)")
    }
  }

  /// Growing needs a writable mount, and any one of the volume's will do.
  private func growFilesystem(of id: QualifiedID, _ entry: MountEntry) async throws {
    guard let source = try await registry.backend(of: id).connected(id.native), case .block(let device) = source else {
      return
    }
    guard let writable = try Presence(of: source).mounts.first(where: { !$0.isReadOnly }) else {
      throw StorageError.precondition("volume \(id) is mounted read-only and cannot grow")
    }
    guard let type = FilesystemType(rawValue: entry.type) else {
      throw StorageError.precondition("\(entry.type) cannot grow while mounted")
    }
    try Filesystem.grow(type, mountPoint: writable.mountPoint, device: device)
  }

  private func refreshReadOnlyLoops(of id: QualifiedID) async throws {
    guard case .block(let device) = try await registry.backend(of: id).connected(id.native) else { return }
    for loop in try LoopDevice.attached(to: device, readOnly: true) { try loop.refreshSize() }
  }
}
