import CSI
import Host
import Storage

extension NodeService {
  /// NodeGetVolumeStats: bytes and inodes of a file system, bytes of a device. A dead mount costs a bounded wait.
  func nodeGetVolumeStats(_ request: NodeGetVolumeStatsRequest) async throws -> NodeGetVolumeStatsResponse {
    let id = try await id(ofVolume: try FieldRules.required(request.volumeID, "volume_id"))
    let path = try FieldRules.path(request.volumePath, "volume_path")
    let place = try await place(of: id, at: path)
    var response = NodeGetVolumeStatsResponse()
    let condition = try await nodeCondition(of: id, place)
    do {
      response.usage = try await usage(of: place)
    } catch  where condition?.isAbnormal == true {
      // The condition tells more than the error, and callers accept it in place of figures.
    }
    response.volumeCondition = condition?.wire
    return response
  }

  /// Where a call finds a volume.
  enum Place: Sendable {
    case filesystem(MountEntry)
    case device(path: String)
  }

  /// - Throws: `.notFound` unless the volume exists and shows at `path`, whatever the path looks like.
  func place(of id: QualifiedID, at path: String) async throws -> Place {
    guard let source = try await registry.source(of: id) else {
      _ = try await registry.volume(id)
      throw StorageError.notFound("volume \(id) is not at volume_path: it is not staged on this node")
    }
    let presence = try Presence(of: source)
    let path = HostPath.canonical(path)
    if let entry = presence.mount(at: path) { return .filesystem(entry) }
    if try presence.deviceBind(at: path) != nil { return .device(path: path) }
    let devicePath = Self.devicePath(staging: path)
    if try presence.deviceBind(at: devicePath) != nil { return .device(path: devicePath) }
    if case .block(let device) = source, path == device { return .device(path: path) }
    throw StorageError.notFound("volume \(id) is not at volume_path")
  }

  private func usage(of place: Place) async throws -> [VolumeUsage] {
    switch place {
    case .device(let path):
      return [VolumeUsage(total: try BlockDevice.size(path).bytes, unit: .bytes)]
    case .filesystem(let entry):
      let usage = try await FilesystemUsage.read(entry.mountPoint, limit: .seconds(5))
      return [
        VolumeUsage(
          available: usage.bytes.available, total: usage.bytes.total, used: usage.bytes.used, unit: .bytes),
        VolumeUsage(
          available: usage.inodes.free, total: usage.inodes.total, used: usage.inodes.used, unit: .inodes),
      ]
    }
  }

  /// What the backend reports, and what the mount shows: a file system that went read-only after an error.
  func nodeCondition(of id: QualifiedID, _ place: Place?) async throws -> VolumeCondition? {
    guard let reporter = registry.backend(of: id) as? any HealthReportingBackend else { return nil }
    var condition = try await reporter.condition(of: id.native)
    if case .filesystem(let entry) = place, !entry.options.contains("ro"), entry.superOptions.contains("ro") {
      condition.problems.append(
        .init(.inaccessible, reason: "FilesystemReadOnly", message: "the file system went read-only after an error"))
    }
    return condition
  }
}
