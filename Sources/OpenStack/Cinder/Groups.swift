import JSONText

extension Cinder {
  /// A group of volumes, or a group of their snapshots: as far as it matters both look alike.
  package struct Group: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var status: String
    package var groupType: String?
    /// Of a group snapshot: the group that was cut.
    package var groupID: ResourceID?
    /// Seconds since 1970.
    package var createdAt: Double?

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      status = try fields.optionalString("status") ?? ""
      groupType = try fields.optionalString("group_type") ?? fields.optionalString("group_type_id")
      groupID = try fields.optionalID("group_id")
      createdAt = try fields.time("created_at")
    }
  }

  package struct GroupType: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var specifications: [String: String]

    /// Whether the volumes of such a group are cut at one moment; nil when the user is not told. Cinder shows the
    /// specifications to administrators only, so the name of the type must be configured.
    package var isConsistent: Bool? {
      isTold ? specifications["consistent_group_snapshot_enabled"] == "<is> True" : nil
    }
    private let isTold: Bool

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      specifications = try fields.metadata("group_specs")
      isTold = try fields.optionalObject("group_specs") != nil
    }
  }

  package static func listGroupTypes() -> ServiceRequest<[GroupType]> {
    list("cinder_group_type_list", ["group_types"], "group_types", GroupType.init)
  }

  package static func createGroup(
    name: String, type: String, volumeTypes: [String], availabilityZone: String? = nil
  ) -> ServiceRequest<ResourceID> {
    let members: [(String, JSON?)] = [
      ("name", .string(name)), ("group_type", .string(type)),
      ("volume_types", .array(volumeTypes.map { .string($0) })), ("availability_zone", .text(availabilityZone)),
    ]
    return ServiceRequest(
      "cinder_group_create", .blockStorage, .post, ["groups"], body: body("group", members), microversion: need(),
      object: "group"
    ) { try $0.id() }
  }

  package static func getGroup(_ id: ResourceID) -> ServiceRequest<Group> {
    ServiceRequest(
      "cinder_group_get", .blockStorage, .get, ["groups", id.rawValue], microversion: need(), object: "group",
      Group.init)
  }

  package static func listGroups(_ query: ListQuery = ListQuery()) -> ServiceRequest<Page<Group>> {
    page("cinder_group_list", ["groups", "detail"], "groups", query) { fields in
      let group = try Group(fields)
      return (group.id, group)
    }
  }

  /// 202. 400 when a volume's type is not the group's, or its back end is another than that of the other volumes.
  package static func updateGroup(
    _ id: ResourceID, adding: [ResourceID] = [], removing: [ResourceID] = []
  ) -> ServiceRequest<Void> {
    func joined(_ ids: [ResourceID]) -> JSON? {
      ids.isEmpty ? nil : .string(ids.map(\.rawValue).joined(separator: ","))
    }
    return ServiceRequest(
      "cinder_group_update", .blockStorage, .put, ["groups", id.rawValue],
      body: body("group", [("add_volumes", joined(adding)), ("remove_volumes", joined(removing))]),
      microversion: need())
  }

  /// Of a group without volumes; with them Cinder refuses.
  package static func deleteGroup(_ id: ResourceID) -> ServiceRequest<Void> {
    action("cinder_group_delete", "groups", id, "delete", [("delete-volumes", false)])
  }

  package static func createGroupSnapshot(of group: ResourceID, name: String) -> ServiceRequest<ResourceID> {
    ServiceRequest(
      "cinder_group_snapshot_create", .blockStorage, .post, ["group_snapshots"],
      body: body("group_snapshot", [("group_id", .id(group)), ("name", .string(name))]), microversion: need(),
      object: "group_snapshot"
    ) { try $0.id() }
  }

  package static func getGroupSnapshot(_ id: ResourceID) -> ServiceRequest<Group> {
    ServiceRequest(
      "cinder_group_snapshot_get", .blockStorage, .get, ["group_snapshots", id.rawValue], microversion: need(),
      object: "group_snapshot", Group.init)
  }

  package static func listGroupSnapshots(_ query: ListQuery = ListQuery()) -> ServiceRequest<Page<Group>> {
    page("cinder_group_snapshot_list", ["group_snapshots", "detail"], "group_snapshots", query) { fields in
      let group = try Group(fields)
      return (group.id, group)
    }
  }

  package static func deleteGroupSnapshot(_ id: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_group_snapshot_delete", .blockStorage, .delete, ["group_snapshots", id.rawValue], microversion: need())
  }
}
