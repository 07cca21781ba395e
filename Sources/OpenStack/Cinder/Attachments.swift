import JSONText

extension Cinder {
  package struct Attachment: Sendable, Hashable {
    package var id: ResourceID
    package var volumeID: ResourceID?
    /// Whose it is: a server of Nova's, or what the creator said.
    package var instanceID: ResourceID?
    package var status: String
    package var mode: String?
    package var connection: Connection?

    init(_ fields: Fields) throws {
      id = try fields.id()
      volumeID = try fields.optionalID("volume_id")
      instanceID = try fields.optionalID("instance")
      status = try fields.optionalString("status") ?? ""
      // Cinder writes the word where there is none.
      mode = try fields.optionalString("attach_mode").flatMap { $0 == "null" ? nil : $0 }
      connection = try fields.optionalObject("connection_info").flatMap { fields in
        try fields.optionalString("driver_volume_type").map { Connection(kind: $0, data: fields.json) }
      }
    }
  }

  /// How a host gets at the volume: `connection_info`. It may hold passwords, so no rendering shows more than the kind.
  package struct Connection: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// `iscsi`, `nvmeof`, `rbd`, `nfs`, `local`.
    package let kind: String
    private let data: JSON

    init(kind: String, data: JSON) {
      self.kind = kind
      self.data = data
    }

    /// The whole object, for whoever makes the connection.
    package func reveal() -> JSON { data }
    package var description: String { "\(kind) connection" }
    package var customMirror: Mirror { Mirror(self, children: ["kind": kind]) }
  }

  package enum AttachMode: String, Sendable, Hashable {
    case readWrite = "rw", readOnly = "ro"
  }

  /// 200 with the connection when there is a connector: Cinder exports the volume before it answers. 400 when the
  /// volume's state forbids it. A failed export (500) leaves the attachment behind, which must be deleted.
  /// - Parameters:
  ///   - instance: of whom the attachment is told to be, such as a node; any UUID that Nova does not know.
  ///   - connector: what the host is; without it the volume is only reserved.
  package static func createAttachment(
    of volume: ResourceID, instance: ResourceID?, connector: JSON?, mode: AttachMode = .readWrite
  ) -> ServiceRequest<Attachment> {
    let members: [(String, JSON?)] = [
      ("volume_uuid", .id(volume)), ("instance_uuid", .id(instance)), ("connector", connector),
      // Reading and writing is what Cinder takes for granted, and before 3.54 the only way.
      ("mode", mode == .readOnly ? .string(mode.rawValue) : nil),
    ]
    return ServiceRequest(
      "cinder_attachment_create", .blockStorage, .post, ["attachments"], body: body("attachment", members),
      microversion: need(mode == .readOnly ? Microversion(3, 54) : floor), object: "attachment", Attachment.init)
  }

  /// 204: the volume is in use from now on.
  package static func completeAttachment(_ id: ResourceID) -> ServiceRequest<Void> {
    action("cinder_attachment_complete", "attachments", id, "os-complete")
  }

  package static func getAttachment(_ id: ResourceID) -> ServiceRequest<Attachment> {
    ServiceRequest(
      "cinder_attachment_get", .blockStorage, .get, ["attachments", id.rawValue], microversion: need(),
      object: "attachment", Attachment.init)
  }

  package static func listAttachments(
    volume: ResourceID? = nil, instance: ResourceID? = nil, marker: ResourceID? = nil
  ) -> ServiceRequest<Page<Attachment>> {
    var items: [QueryItem] = []
    if let volume { items.append(QueryItem("volume_id", volume.rawValue)) }
    if let instance { items.append(QueryItem("instance_id", instance.rawValue)) }
    if let marker { items.append(QueryItem("marker", marker.rawValue)) }
    return ServiceRequest(
      "cinder_attachment_list", .blockStorage, .get, ["attachments", "detail"], query: items, microversion: need()
    ) { response in
      try Page(response.body, "attachments") { fields in
        let attachment = try Attachment(fields)
        return (attachment.id, attachment)
      }
    }
  }

  /// 200. 409 when the attachment is a server's of Nova's (CVE-2023-2088): only Nova may end it.
  package static func deleteAttachment(_ id: ResourceID) -> ServiceRequest<Void> {
    ServiceRequest(
      "cinder_attachment_delete", .blockStorage, .delete, ["attachments", id.rawValue], microversion: need())
  }
}
