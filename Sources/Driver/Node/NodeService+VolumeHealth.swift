import CSI
import Storage

extension NodeService {
  /// NodeGetVolumeHealth (CSI 1.13). The paths may be ones where the volume never came to be.
  func nodeGetVolumeHealth(_ request: NodeGetVolumeHealthRequest) async throws -> NodeGetVolumeHealthResponse {
    let id = try await id(ofVolume: try FieldRules.required(request.volumeID, "volume_id"))
    let paths = try [
      FieldRules.absolute(request.volumePublishPath, "volume_publish_path"),
      FieldRules.absolute(request.stagingTargetPath, "staging_target_path"),
    ]
    _ = try await registry.volume(id)
    var place: Place?
    for case let path? in paths where place == nil { place = try? await self.place(of: id, at: path) }
    guard let condition = try await nodeCondition(of: id, place) else {
      throw StorageError.unsupported("backend \(id.backend) does not report health")
    }
    var response = NodeGetVolumeHealthResponse()
    response.volumeHealth = condition.health(of: request.volumeID)
    return response
  }

  /// NodeGetStorageHealth (CSI 1.13): one entry for every backend that cannot serve.
  func nodeGetStorageHealth(_ request: NodeGetStorageHealthRequest) async throws -> NodeGetStorageHealthResponse {
    var response = NodeGetStorageHealthResponse()
    for (backend, name) in zip(registry.all, registry.names) {
      do {
        try await backend.checkReadiness()
      } catch {
        var entry = NodeGetStorageHealthResponse.StorageBackendHealth()
        entry.status = .storageUnreachable
        entry.reason = "BackendNotReady"
        entry.message = "backend \(name): \(error)"
        response.backendHealth.append(entry)
      }
    }
    return response
  }
}

extension FieldRules {
  /// An optional path; nil when it is empty.
  fileprivate static func absolute(_ value: String, _ field: String) throws -> String? {
    guard !value.isEmpty else { return nil }
    guard try path(value, field).hasPrefix("/") else { throw StorageError.invalid("\(field) must be absolute") }
    return value
  }
}
