import JSONText

extension Cinder {
  package struct Snapshot: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var status: String
    package var volumeID: ResourceID
    /// GiB of the volume when it was cut.
    package var size: Int64
    package var metadata: [String: String]
    package var groupSnapshotID: ResourceID?
    /// Seconds since 1970.
    package var createdAt: Double?
    package var updatedAt: Double?
    /// `50%`, as the back end reports it.
    package var progress: String?

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      status = try fields.string("status")
      volumeID = try fields.id("volume_id")
      size = try fields.integer("size")
      metadata = try fields.metadata("metadata")
      groupSnapshotID = try fields.optionalID("group_snapshot_id")
      createdAt = try fields.time("created_at")
      updatedAt = try fields.time("updated_at")
      progress = try fields.optionalString("os-extended-snapshot-attributes:progress")
    }
  }

  /// 202. `force` lets an attached volume be cut; from 3.66 on that is so anyway and `true` is taken silently.
  package static func createSnapshot(
    of volume: ResourceID, name: String, description: String? = nil, metadata: [String: String] = [:]
  ) -> ServiceRequest<Snapshot> {
    let members: [(String, JSON?)] = [
      ("volume_id", .id(volume)), ("name", .string(name)), ("description", .text(description)), ("force", true),
      ("metadata", Self.metadata(metadata)),
    ]
    return ServiceRequest(
      "cinder_snapshot_create", .blockStorage, .post, ["snapshots"], body: body("snapshot", members),
      microversion: need(), object: "snapshot", Snapshot.init)
  }

  package static func getSnapshot(_ id: ResourceID) -> ServiceRequest<Snapshot> {
    ServiceRequest(
      "cinder_snapshot_get", .blockStorage, .get, ["snapshots", id.rawValue], microversion: need(),
      object: "snapshot", Snapshot.init)
  }

  package static func listSnapshots(
    _ query: ListQuery = ListQuery(), volume: ResourceID? = nil
  ) -> ServiceRequest<Page<Snapshot>> {
    let floor = query.updatedAfter == nil ? Cinder.floor : updatedAtFloor
    let items = query.items + (volume.map { [QueryItem("volume_id", $0.rawValue)] } ?? [])
    return ServiceRequest(
      "cinder_snapshot_list", .blockStorage, .get, ["snapshots", "detail"], query: items, microversion: need(floor)
    ) { response in
      try Page(response.body, "snapshots") { fields in
        let snapshot = try Snapshot(fields)
        return (snapshot.id, snapshot)
      }
    }
  }

  /// 202. 400 while a backup or a clone reads it, or when it belongs to a group snapshot.
  package static func deleteSnapshot(_ id: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_snapshot_delete", .blockStorage, .delete, ["snapshots", id.rawValue], microversion: need())
  }
}
