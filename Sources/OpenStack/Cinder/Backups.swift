import JSONText

extension Cinder {
  package struct Backup: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var status: String
    package var volumeID: ResourceID?
    package var snapshotID: ResourceID?
    /// GiB.
    package var size: Int64
    package var metadata: [String: String]
    package var isIncremental: Bool
    package var hasDependents: Bool
    package var failReason: String?
    /// Seconds since 1970.
    package var createdAt: Double?
    package var updatedAt: Double?

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      status = try fields.string("status")
      volumeID = try fields.optionalID("volume_id")
      snapshotID = try fields.optionalID("snapshot_id")
      size = try fields.optionalInteger("size") ?? 0
      metadata = try fields.metadata("metadata")
      isIncremental = try fields.optionalBool("is_incremental") ?? false
      hasDependents = try fields.optionalBool("has_dependent_backups") ?? false
      failReason = try fields.optionalString("fail_reason")
      createdAt = try fields.time("created_at")
      updatedAt = try fields.time("updated_at")
    }
  }

  package struct BackupSpecification: Sendable, Hashable {
    package var volume: ResourceID
    package var name: String
    package var snapshot: ResourceID?
    package var description: String?
    package var isIncremental = false
    package var metadata: [String: String] = [:]
    /// Needs 3.51.
    package var availabilityZone: String?

    package init(of volume: ResourceID, name: String) {
      self.volume = volume
      self.name = name
    }
  }

  /// What the answer to a creation tells.
  package static func createBackup(_ backup: BackupSpecification) -> ServiceRequest<ResourceID> {
    let members: [(String, JSON?)] = [
      ("volume_id", .id(backup.volume)), ("snapshot_id", .id(backup.snapshot)), ("name", .string(backup.name)),
      ("description", .text(backup.description)), ("incremental", .bool(backup.isIncremental)), ("force", true),
      ("metadata", metadata(backup.metadata)), ("availability_zone", .text(backup.availabilityZone)),
    ]
    let floor = backup.availabilityZone == nil ? Cinder.floor : Microversion(3, 51)
    return ServiceRequest(
      "cinder_backup_create", .blockStorage, .post, ["backups"], body: body("backup", members),
      microversion: need(floor), object: "backup"
    ) { try $0.id() }
  }

  package static func getBackup(_ id: ResourceID) -> ServiceRequest<Backup> {
    ServiceRequest(
      "cinder_backup_get", .blockStorage, .get, ["backups", id.rawValue], microversion: need(), object: "backup",
      Backup.init)
  }

  package static func listBackups(_ query: ListQuery = ListQuery()) -> ServiceRequest<Page<Backup>> {
    let floor = query.updatedAfter == nil ? Cinder.floor : updatedAtFloor
    return page("cinder_backup_list", ["backups", "detail"], "backups", query, need: need(floor)) { fields in
      let backup = try Backup(fields)
      return (backup.id, backup)
    }
  }

  package static func deleteBackup(_ id: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest("cinder_backup_delete", .blockStorage, .delete, ["backups", id.rawValue], microversion: need())
  }
}
