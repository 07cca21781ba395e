import JSONText

/// Requests to Nova (Compute API v2.1).
package enum Nova {
  /// Multiattach volumes need 2.60 (Queens, 2018).
  package static let floor = Microversion(2, 60)
  /// From here on an attach answers without waiting for the server's host to reserve a device name.
  package static let quickAttach = Microversion(2, 101)

  private static let need = MicroversionNeed(floor: floor, wish: floor)

  package struct Server: Sendable, Hashable {
    package var id: ResourceID
    package var name: String
    package var status: String
    package var availabilityZone: String?
    package var volumeIDs: [ResourceID]

    init(_ fields: Fields) throws {
      id = try fields.id()
      name = try fields.optionalString("name") ?? ""
      status = try fields.optionalString("status") ?? ""
      availabilityZone = try fields.optionalString("OS-EXT-AZ:availability_zone")
      volumeIDs = try (fields.optionalList("os-extended-volumes:volumes_attached") ?? []).map { try $0.id() }
    }
  }

  package static func getServer(_ id: ResourceID) -> ServiceRequest<Server> {
    ServiceRequest(
      "nova_server_get", .compute, .get, ["servers", id.rawValue], microversion: need, object: "server", Server.init)
  }

  /// 200, or 202 without a body from 2.101 on: the volume is being attached, and its status tells when it is.
  ///
  /// 400 when the volume's state, zone or type forbids it or it is attached there already, 403 when the server has all
  /// the disks that it can have, 404 without server or volume, 409 when the server is locked or busy.
  package static func attachVolume(_ volume: ResourceID, to server: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest(
      "nova_volume_attachment_create", .compute, .post, ["servers", server.rawValue, "os-volume_attachments"],
      body: ["volumeAttachment": ["volumeId": .string(volume.rawValue)]],
      microversion: MicroversionNeed(floor: floor, wish: quickAttach))
  }

  /// 202: the volume's status tells when it is free. 404 when it is not attached there, or there is no server.
  package static func detachVolume(_ volume: ResourceID, from server: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest(
      "nova_volume_attachment_delete", .compute, .delete,
      ["servers", server.rawValue, "os-volume_attachments", volume.rawValue], microversion: need)
  }

  /// The volumes that Nova counts as a server's, those on the way included.
  package static func listAttachedVolumes(of server: ResourceID) -> ServiceRequest<[ResourceID]> {
    ServiceRequest(
      "nova_volume_attachment_list", .compute, .get, ["servers", server.rawValue, "os-volume_attachments"],
      microversion: need
    ) { response in
      try Fields(parsing: response.body).list("volumeAttachments").map { try $0.id("volumeId") }
    }
  }
}
