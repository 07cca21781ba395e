import JSONText

extension Cinder {
  package struct Volume: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var status: String
    /// GiB.
    package var size: Int64
    package var type: String?
    package var availabilityZone: String?
    package var metadata: [String: String]
    package var attachments: [Attached]
    package var snapshotID: ResourceID?
    package var sourceVolumeID: ResourceID?
    package var groupID: ResourceID?
    package var isMultiattach: Bool
    package var isEncrypted: Bool
    package var migrationStatus: String?
    /// Seconds since 1970.
    package var createdAt: Double?
    package var updatedAt: Double?

    /// An attachment that is complete, as the volume shows it.
    package struct Attached: Sendable, Hashable {
      package var attachmentID: ResourceID?
      package var serverID: ResourceID?
      package var device: String?
      /// Told to administrators only.
      package var hostName: String?
    }

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      status = try fields.string("status")
      size = try fields.integer("size")
      type = try fields.optionalString("volume_type")
      availabilityZone = try fields.optionalString("availability_zone")
      metadata = try fields.metadata("metadata")
      attachments = try (fields.optionalList("attachments") ?? []).map { entry in
        Attached(
          attachmentID: try entry.optionalID("attachment_id"), serverID: try entry.optionalID("server_id"),
          device: try entry.optionalString("device"), hostName: try entry.optionalString("host_name"))
      }
      snapshotID = try fields.optionalID("snapshot_id")
      sourceVolumeID = try fields.optionalID("source_volid")
      groupID = try fields.optionalID("group_id")
      isMultiattach = try fields.optionalBool("multiattach") ?? false
      isEncrypted = try fields.optionalBool("encrypted") ?? false
      migrationStatus = try fields.optionalString("migration_status")
      createdAt = try fields.time("created_at")
      updatedAt = try fields.time("updated_at")
    }
  }

  /// What a new volume is to be.
  package struct VolumeSpecification: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
      case snapshot(ResourceID), volume(ResourceID), backup(ResourceID), image(ResourceID)
    }
    package var name: String
    package var size: Int64
    package var description: String?
    package var type: String?
    package var availabilityZone: String?
    package var metadata: [String: String] = [:]
    package var source: Source?
    package var groupID: ResourceID?
    /// Volumes whose back end is wanted, and whose is not.
    package var sameHost: [ResourceID] = []
    package var differentHost: [ResourceID] = []

    package init(name: String, size: Int64) {
      self.name = name
      self.size = size
    }
  }

  /// 202. 400 for a type, zone or size that cannot be, 404 for the source, 413 for the quota.
  package static func createVolume(_ volume: VolumeSpecification) -> ServiceRequest<Volume> {
    var members: [(String, JSON?)] = [
      ("name", .string(volume.name)), ("size", .integer(volume.size)), ("description", .text(volume.description)),
      ("volume_type", .text(volume.type)), ("availability_zone", .text(volume.availabilityZone)),
      ("metadata", metadata(volume.metadata)), ("group_id", .id(volume.groupID)),
    ]
    var floor = Cinder.floor
    switch volume.source {
    case nil: break
    case .snapshot(let id): members.append(("snapshot_id", .id(id)))
    case .volume(let id): members.append(("source_volid", .id(id)))
    case .image(let id): members.append(("imageRef", .id(id)))
    case .backup(let id):
      members.append(("backup_id", .id(id)))
      floor = Microversion(3, 47)
    }
    var body = body("volume", members)
    let hints = [("same_host", volume.sameHost), ("different_host", volume.differentHost)].filter { !$0.1.isEmpty }
    if !hints.isEmpty, case .object(var root) = body {
      let lists = hints.map { JSON.Member($0.0, .array($0.1.map { .string($0.rawValue) })) }
      root.append(JSON.Member("OS-SCH-HNT:scheduler_hints", .object(lists)))
      body = .object(root)
    }
    return ServiceRequest(
      "cinder_volume_create", .blockStorage, .post, ["volumes"], body: body, microversion: need(floor),
      object: "volume", Volume.init)
  }

  package static func getVolume(_ id: ResourceID) -> ServiceRequest<Volume> {
    ServiceRequest(
      "cinder_volume_get", .blockStorage, .get, ["volumes", id.rawValue], microversion: need(), object: "volume",
      Volume.init)
  }

  /// `updatedAfter` needs 3.60; below that Cinder would pass over the filter, so the request is not sent.
  package static func listVolumes(_ query: ListQuery = ListQuery()) -> ServiceRequest<Page<Volume>> {
    let floor = query.updatedAfter == nil ? Cinder.floor : updatedAtFloor
    return page("cinder_volume_list", ["volumes", "detail"], "volumes", query, need: need(floor)) { fields in
      let volume = try Volume(fields)
      return (volume.id, volume)
    }
  }

  /// From which on lists can be filtered by the time of the last change.
  package static let updatedAtFloor = Microversion(3, 60)

  /// 202. 400 while it is attached, has snapshots, or is in a group.
  /// - Parameter cascade: with its snapshots.
  package static func deleteVolume(_ id: ResourceID, cascade: Bool = false) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_volume_delete", .blockStorage, .delete, ["volumes", id.rawValue],
      query: cascade ? [QueryItem("cascade", "true")] : [], microversion: need())
  }

  /// Sets these keys and leaves the others.
  package static func setVolumeMetadata(_ id: ResourceID, _ values: [String: String]) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_volume_metadata_update", .blockStorage, .post, ["volumes", id.rawValue, "metadata"],
      body: ["metadata": .strings(values)], microversion: need())
  }

  /// Sets these keys and removes all others. Removing one by its path fails for keys with a slash, as Kubernetes' have.
  package static func replaceVolumeMetadata(_ id: ResourceID, _ values: [String: String]) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_volume_metadata_replace", .blockStorage, .put, ["volumes", id.rawValue, "metadata"],
      body: ["metadata": .strings(values)], microversion: need())
  }

  /// 202. An attached volume grows too (3.42).
  package static func extendVolume(_ id: ResourceID, to size: Int64) -> ServiceRequest<Void> {
    action("cinder_volume_extend", "volumes", id, "os-extend", [("new_size", .integer(size))])
  }

  package enum MigrationPolicy: String, Sendable, Hashable {
    case never, onDemand = "on-demand"
  }

  package static func retypeVolume(
    _ id: ResourceID, to type: String, migration: MigrationPolicy
  ) -> ServiceRequest<Void> {
    let members: [(String, JSON?)] = [
      ("new_type", .string(type)), ("migration_policy", .string(migration.rawValue)),
    ]
    return action("cinder_volume_retype", "volumes", id, "os-retype", members)
  }

  package static func setVolumeReadOnly(_ id: ResourceID, _ isReadOnly: Bool) -> ServiceRequest<Void> {
    action(
      "cinder_volume_readonly_update", "volumes", id, "os-update_readonly_flag", [("readonly", .bool(isReadOnly))])
  }
}
