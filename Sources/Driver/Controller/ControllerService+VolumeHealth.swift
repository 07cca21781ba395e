import CSI
import Storage

extension ControllerService {
  /// ControllerListVolumeHealth (CSI 1.13): the abnormal volumes only.
  func controllerListVolumeHealth(
    _ request: ControllerListVolumeHealthRequest
  ) async throws -> ControllerListVolumeHealthResponse {
    let pager = try Pager(maxEntries: request.maxEntries, startingToken: request.startingToken)
    guard registry.conform(to: (any HealthReportingBackend).self) else {
      throw StorageError.unsupported("no backend reports health")
    }
    let page = try await pager.page(volumeSources(), id: \.id) { volume, backend -> Pager.Sized<VolumeHealth>? in
      guard let condition = try await recentCondition(of: volume.id, backend), condition.isAbnormal else { return nil }
      let health = condition.health(of: registry.text(volume.id, of: backend))
      let words = condition.problems.reduce(0) { $0 + $1.reason.utf8.count + $1.message.utf8.count + 32 }
      return Pager.Sized(entry: health, bytes: 256 + words)
    }
    var response = ControllerListVolumeHealthResponse()
    response.entries = page.entries
    response.nextToken = page.next
    return response
  }

  /// ControllerGetVolumeHealth (CSI 1.13): no statuses for a healthy volume.
  func controllerGetVolumeHealth(
    _ request: ControllerGetVolumeHealthRequest
  ) async throws -> ControllerGetVolumeHealthResponse {
    let id = registry.parse(try FieldRules.required(request.volumeID, "volume_id"))
    let reporter = try able((any HealthReportingBackend).self, id, "volume health")
    _ = try await registry.volume(id)
    var response = ControllerGetVolumeHealthResponse()
    response.volumeHealth = try await reporter.condition(of: id.native).health(of: "\(id)")
    return response
  }
}
