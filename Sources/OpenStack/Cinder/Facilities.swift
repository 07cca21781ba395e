import JSONText

extension Cinder {
  package struct VolumeType: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var isPublic: Bool
    /// What the user may see of them.
    package var specifications: [String: String]

    package var isMultiattach: Bool { specifications["multiattach"] == "<is> True" }

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.string("name")
      isPublic = try fields.optionalBool("is_public") ?? true
      specifications = try fields.metadata("extra_specs")
    }
  }

  package static func listTypes() -> ServiceRequest<[VolumeType]> {
    list("cinder_type_list", ["types"], "volume_types", VolumeType.init)
  }

  /// The project's quota and what of it is used. -1: no limit.
  package struct Limits: Sendable, Hashable {
    package var maximumGigabytes: Int64
    package var usedGigabytes: Int64
    package var maximumVolumes: Int64
    package var usedVolumes: Int64

    /// GiB that may still be made; nil: no limit.
    package var freeGigabytes: Int64? {
      if maximumVolumes >= 0, usedVolumes >= maximumVolumes { return 0 }
      guard maximumGigabytes >= 0 else { return nil }
      return max(0, maximumGigabytes.subtractingReportingOverflow(usedGigabytes).partialValue)
    }

    init(_ fields: Fields) throws {
      let absolute = try fields.object("absolute")
      maximumGigabytes = try absolute.optionalInteger("maxTotalVolumeGigabytes") ?? -1
      usedGigabytes = try absolute.optionalInteger("totalGigabytesUsed") ?? 0
      maximumVolumes = try absolute.optionalInteger("maxTotalVolumes") ?? -1
      usedVolumes = try absolute.optionalInteger("totalVolumesUsed") ?? 0
    }
  }

  package static func getLimits() -> ServiceRequest<Limits> {
    ServiceRequest(
      "cinder_limits_get", .blockStorage, .get, ["limits"], microversion: need(), object: "limits", Limits.init)
  }

  /// A back end's storage. Told to administrators only: others get 403.
  package struct Pool: Sendable, Hashable {
    package var name: String
    package var backendName: String?
    /// GiB; nil: unknown or without end.
    package var total: Double?
    package var free: Double?
    package var isMultiattach: Bool

    init(_ fields: Fields) throws {
      name = try fields.string("name")
      let capabilities = try fields.object("capabilities")
      backendName = try capabilities.optionalString("volume_backend_name")
      total = capabilities.number("total_capacity_gb")
      free = capabilities.number("free_capacity_gb")
      isMultiattach = try capabilities.optionalBool("multiattach") ?? false
    }
  }

  package static func listPools() -> ServiceRequest<[Pool]> {
    list(
      "cinder_pool_list", ["scheduler-stats", "get_pools"], "pools", query: [QueryItem("detail", "true")], Pool.init)
  }

  /// What Cinder has to tell the user about a request that failed later.
  package struct Message: Sendable, Hashable {
    package var id: ResourceID
    /// Such as `VOLUME_VOLUME_001_003`.
    package var eventID: String
    package var text: String
    package var resourceID: ResourceID?
    /// Seconds since 1970.
    package var createdAt: Double?

    init(_ fields: Fields) throws {
      id = try fields.id()
      eventID = try fields.optionalString("event_id") ?? ""
      text = try fields.optionalString("user_message") ?? ""
      resourceID = try fields.optionalID("resource_uuid")
      createdAt = try fields.time("created_at")
    }
  }

  /// The newest first.
  package static func listMessages(about resource: ResourceID) -> ServiceRequest<[Message]> {
    let query = [
      QueryItem("resource_uuid", resource.rawValue), QueryItem("sort", "created_at:desc"), QueryItem("limit", "20"),
    ]
    return list("cinder_message_list", ["messages"], "messages", query: query, Message.init)
  }

  package struct AvailabilityZone: Sendable, Hashable {
    package var name: String
    package var isAvailable: Bool

    init(_ fields: Fields) throws {
      name = try fields.string("zoneName")
      isAvailable = try fields.optionalObject("zoneState")?.optionalBool("available") ?? true
    }
  }

  package static func listAvailabilityZones() -> ServiceRequest<[AvailabilityZone]> {
    list(
      "cinder_availability_zone_list", ["os-availability-zone"], "availabilityZoneInfo", AvailabilityZone.init)
  }

  /// A process of Cinder's. Told to administrators only.
  package struct Process: Sendable, Hashable {
    package var binary: String
    package var host: String
    package var isEnabled: Bool
    package var isUp: Bool

    init(_ fields: Fields) throws {
      binary = try fields.string("binary")
      host = try fields.optionalString("host") ?? ""
      isEnabled = try fields.optionalString("status") == "enabled"
      isUp = try fields.optionalString("state") == "up"
    }
  }

  package static func listServices() -> ServiceRequest<[Process]> {
    list("cinder_service_list", ["os-services"], "services", Process.init)
  }
}
