import HTTP
import JSONText
import Storage
import Testing

@testable import OpenStack

@Suite struct `What real services answer` {
  private func answer<T>(_ name: String, _ request: ServiceRequest<T>) throws -> T {
    try request.read(try Recording(name).response)
  }

  private let id = ResourceID("71f48191-95bb-4020-a7dc-6bc9d7499bf5")
  private func volumeID() throws -> ResourceID { try #require(id) }

  @Test func `a token has its life and its catalogue`() throws {
    let token = try Token(try Recording("keystone_token").response, received: .now)
    #expect(token.lifetime == .seconds(3600))
    #expect(token.projectID == Replies.project)
    #expect(
      try token.catalogue.address(of: .blockStorage, interface: .public, region: "RegionOne").description
        == "http://c/v3")
    #expect(
      try token.catalogue.address(of: .compute, interface: .internal, region: nil).description == "http://n/v2.1")
  }

  @Test func `versions of Keystone and Cinder are read`() throws {
    let root = try #require(ServiceAddress("http://k"))
    let url = try Authentication.identityURL(root: root, discovery: Recording.body("keystone_versions"))
    #expect(url.description == "http://k/v3")
    let range = MicroversionRange(minimum: Microversion(3, 0), maximum: Microversion(3, 71))
    #expect(ServiceEndpoint.range(try Recording.body("cinder_versions"), .blockStorage) == range)
  }

  @Test func `volumes`() throws {
    let volume = try answer("volume", Cinder.getVolume(volumeID()))
    #expect(volume.id == id)
    #expect(volume.name == "pvc-1")
    #expect(volume.status == "available")
    #expect(volume.size == 1)
    #expect(volume.type == "standard")
    #expect(volume.availabilityZone == "nova")
    #expect(volume.metadata == ["cinder.csi.openstack.org/cluster": "c"])
    #expect(volume.snapshotID == nil)
    #expect(!volume.isMultiattach)
    #expect(try answer("volume_creating", Cinder.createVolume(.init(name: "pvc-1", size: 1))).status == "creating")
    let inUse = try answer("volume_on_server", Cinder.getVolume(volumeID()))
    #expect(inUse.status == "in-use")
    #expect(inUse.attachments.map(\.serverID) == [ResourceID("cb16ea8b-b2ee-466b-ad82-f375cc29901c")])
    #expect(inUse.attachments.first?.attachmentID != nil)
  }

  @Test func `lists, with and without a next part`() throws {
    let more = try answer("volumes_by_metadata", Cinder.listVolumes())
    #expect(more.items.count == 1)
    #expect(more.next == more.items.first?.id)
    let all = try answer("volumes_changed", Cinder.listVolumes())
    #expect(all.items.count == 1)
    #expect(all.next == nil)
    #expect(try answer("volumes_unchanged", Cinder.listVolumes()).items.isEmpty)
    let snapshots = try answer("snapshots_of_group", Cinder.listSnapshots()).items
    #expect(snapshots.map { $0.groupSnapshotID == nil } == [false, true])
  }

  @Test func `snapshots, backups and groups`() throws {
    let snapshot = try answer("snapshot", Cinder.getSnapshot(volumeID()))
    #expect(snapshot.volumeID == id)
    #expect(snapshot.status == "available")
    #expect(snapshot.size == 2)
    #expect(snapshot.metadata == ["a": "b"])
    #expect(snapshot.createdAt != nil)
    #expect(try answer("snapshot_creating", Cinder.createSnapshot(of: volumeID(), name: "n")).status == "creating")
    let backup = try answer("backup_failed", Cinder.getBackup(volumeID()))
    #expect(backup.status == "error")
    #expect(backup.failReason == "Service not found for creating backup.")
    #expect(try answer("backup_creating", Cinder.createBackup(.init(of: volumeID(), name: "b"))) == backup.id)
    let message = try #require(try answer("messages_of_backup", Cinder.listMessages(about: volumeID())).first)
    #expect(message.eventID == "VOLUME_VOLUME_BACKUP_013_024")
    #expect(message.resourceID == backup.id)
    let cut = try answer("group_snapshot", Cinder.getGroupSnapshot(volumeID()))
    #expect(cut.groupID == (try answer("group", Cinder.getGroup(volumeID()))).id)
    // A member is not shown what a group type promises.
    #expect(try answer("group_types", Cinder.listGroupTypes()).map(\.isConsistent) == [nil, nil])
  }

  @Test func `attachments, whose passwords no rendering shows`() throws {
    let attachment = try answer("attachment", Cinder.getAttachment(volumeID()))
    #expect(attachment.status == "attached")
    #expect(attachment.volumeID == id)
    let connection = try #require(attachment.connection)
    #expect(connection.kind == "iscsi")
    let password = try #require(connection.reveal()["auth_password"]?.string)
    var dumped = ""
    dump(attachment, to: &dumped)
    for text in ["\(attachment)", String(reflecting: attachment), dumped] { #expect(!text.contains(password)) }
    #expect(try answer("attachments", Cinder.listAttachments()).items.map(\.id) == [attachment.id])
    #expect(try answer("attachment_created", Cinder.getAttachment(volumeID())).connection != nil)
  }

  @Test func `facilities`() throws {
    #expect(try answer("types", Cinder.listTypes()).map(\.name).contains("standard"))
    #expect(try answer("limits", Cinder.getLimits()).maximumGigabytes == 1_000_000)
    #expect(try answer("availability_zones", Cinder.listAvailabilityZones()).map(\.name) == ["nova"])
    let pool = try #require(try answer("pools", Cinder.listPools()).first)
    #expect(pool.total == 100_000)
    #expect(pool.backendName == "pretend")
    #expect(try answer("services", Cinder.listServices()).allSatisfy { $0.isUp && $0.isEnabled })
  }

  @Test func `servers`() throws {
    let server = try answer("server", Nova.getServer(volumeID()))
    #expect(server.status == "ACTIVE")
    #expect(server.volumeIDs.count == 1)
    #expect(try answer("nova_attached", Nova.listAttachedVolumes(of: volumeID())).count == 2)
    try answer("nova_attach", Nova.attachVolume(volumeID(), to: volumeID()))
    try answer("nova_detach", Nova.detachVolume(volumeID(), from: volumeID()))
  }

  @Test(arguments: [
    ("keystone_refused", OpenStackError.Kind.unauthenticated), ("pools_refused", .forbidden),
    ("volume_has_snapshots", .wrongState), ("attached_twice", .wrongState), ("delete_attached", .wrongState),
    ("shrink_refused", .invalid), ("zone_missing", .invalid), ("volume_missing", .notFound),
    ("type_missing", .notFound), ("quota", .quota), ("nova_server_missing", .notFound),
    ("nova_volume_missing", .notFound), ("nova_detached_already", .notFound), ("nova_attached_twice", .wrongState),
    ("nova_attachment_kept", .conflict), ("backup_delete_refused", .serviceMissing),
  ])
  func `each refusal has its kind, its words and its request's id`(name: String, kind: OpenStackError.Kind) throws {
    let error = OpenStackError(.blockStorage, try Recording(name).response)
    #expect(error.kind == kind)
    #expect(error.requestID?.hasPrefix("req-") == true)
    #expect(error.message.count > 20)
  }
}
