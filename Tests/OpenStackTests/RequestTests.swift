import HTTP
import JSONText
import Testing

@testable import OpenStack

/// A request as a line: method, path and query, microversion, body.
private func line<T>(_ request: ServiceRequest<T>) throws -> String {
  let base = try #require(ServiceAddress("http://s/v"))
  let http = request.httpRequest(base: base, token: Secret("t"), version: request.microversion?.wish)
  let version = request.microversion.map { $0.floor == $0.wish ? "\($0.floor)" : "\($0.floor)...\($0.wish)" } ?? "-"
  let body = http.body.map { " " + String(decoding: $0, as: UTF8.self) } ?? ""
  return "\(request.name): \(http.method.rawValue) \(http.path.dropFirst(2)) \(version)\(body)"
}

private func id(_ text: String) throws -> ResourceID { try #require(ResourceID(text)) }

@Suite struct `Requests to Cinder` {
  @Test func `volumes`() throws {
    let v = try id("v1")
    #expect(try line(Cinder.getVolume(v)) == "cinder_volume_get: GET /volumes/v1 3.44")
    #expect(try line(Cinder.deleteVolume(v)) == "cinder_volume_delete: DELETE /volumes/v1 3.44")
    #expect(
      try line(Cinder.deleteVolume(v, cascade: true)) == "cinder_volume_delete: DELETE /volumes/v1?cascade=true 3.44")
    #expect(
      try line(Cinder.extendVolume(v, to: 3))
        == #"cinder_volume_extend: POST /volumes/v1/action 3.44 {"os-extend":{"new_size":3}}"#)
    #expect(
      try line(Cinder.retypeVolume(v, to: "fast", migration: .onDemand))
        == #"cinder_volume_retype: POST /volumes/v1/action 3.44 "#
        + #"{"os-retype":{"new_type":"fast","migration_policy":"on-demand"}}"#)
    #expect(
      try line(Cinder.setVolumeReadOnly(v, true))
        == #"cinder_volume_readonly_update: POST /volumes/v1/action 3.44 {"os-update_readonly_flag":{"readonly":true}}"#
    )
    #expect(
      try line(Cinder.setVolumeMetadata(v, ["a/b": "c"]))
        == #"cinder_volume_metadata_update: POST /volumes/v1/metadata 3.44 {"metadata":{"a/b":"c"}}"#)
    #expect(
      try line(Cinder.replaceVolumeMetadata(v, [:]))
        == #"cinder_volume_metadata_replace: PUT /volumes/v1/metadata 3.44 {"metadata":{}}"#)
  }

  @Test func `a new volume says only what it is to be`() throws {
    var volume = Cinder.VolumeSpecification(name: "pvc-1", size: 2)
    #expect(
      try line(Cinder.createVolume(volume))
        == #"cinder_volume_create: POST /volumes 3.44 {"volume":{"name":"pvc-1","size":2}}"#)
    volume.description = "d"
    volume.type = "fast"
    volume.availabilityZone = "z"
    volume.metadata = ["b": "2", "a": "1"]
    volume.source = .backup(try id("b1"))
    volume.groupID = try id("g1")
    volume.sameHost = [try id("v1")]
    volume.differentHost = [try id("v2"), try id("v3")]
    #expect(
      try line(Cinder.createVolume(volume))
        == #"cinder_volume_create: POST /volumes 3.47 {"volume":{"name":"pvc-1","size":2,"description":"d","#
        + #""volume_type":"fast","availability_zone":"z","metadata":{"a":"1","b":"2"},"group_id":"g1","#
        + #""backup_id":"b1"},"OS-SCH-HNT:scheduler_hints":{"same_host":["v1"],"different_host":["v2","v3"]}}"#)
    for (source, text) in [
      (Cinder.VolumeSpecification.Source.snapshot(try id("x")), #""snapshot_id":"x""#),
      (.volume(try id("x")), #""source_volid":"x""#), (.image(try id("x")), #""imageRef":"x""#),
    ] {
      volume.source = source
      #expect(try line(Cinder.createVolume(volume)).contains(text))
      #expect(try line(Cinder.createVolume(volume)).contains(" 3.44 "))
    }
  }

  @Test func `lists are filtered and paged`() throws {
    let query = ListQuery(
      name: "a b&c", status: "error", metadata: ["k": "v"], updatedAfter: 1_795_280_400, limit: 10, marker: try id("m"))
    let items =
      "?name=a%20b%26c&status=error&metadata=%7B%22k%22%3A%22v%22%7D&updated_at=gt%3A2026-11-21T17%3A00%3A00"
      + "&limit=10&marker=m"
    #expect(try line(Cinder.listVolumes(query)) == "cinder_volume_list: GET /volumes/detail\(items) 3.60")
    #expect(try line(Cinder.listVolumes()) == "cinder_volume_list: GET /volumes/detail 3.44")
    #expect(
      try line(Cinder.listSnapshots(ListQuery(name: "n"), volume: try id("v1")))
        == "cinder_snapshot_list: GET /snapshots/detail?name=n&volume_id=v1 3.44")
    #expect(try line(Cinder.listBackups(query)) == "cinder_backup_list: GET /backups/detail\(items) 3.60")
    #expect(try line(Cinder.listGroups()) == "cinder_group_list: GET /groups/detail 3.44")
    #expect(try line(Cinder.listGroupSnapshots()) == "cinder_group_snapshot_list: GET /group_snapshots/detail 3.44")
  }

  @Test func `snapshots, backups and groups`() throws {
    let v = try id("v1")
    let s = try id("s1")
    #expect(
      try line(Cinder.createSnapshot(of: v, name: "n", metadata: ["k": "v"]))
        == #"cinder_snapshot_create: POST /snapshots 3.44 "#
        + #"{"snapshot":{"volume_id":"v1","name":"n","force":true,"metadata":{"k":"v"}}}"#)
    #expect(try line(Cinder.getSnapshot(s)) == "cinder_snapshot_get: GET /snapshots/s1 3.44")
    #expect(try line(Cinder.deleteSnapshot(s)) == "cinder_snapshot_delete: DELETE /snapshots/s1 3.44")
    var backup = Cinder.BackupSpecification(of: v, name: "b")
    backup.snapshot = s
    backup.isIncremental = true
    let body = #""volume_id":"v1","snapshot_id":"s1","name":"b","incremental":true,"force":true"#
    #expect(
      try line(Cinder.createBackup(backup)) == #"cinder_backup_create: POST /backups 3.44 {"backup":{\#(body)}}"#)
    backup.availabilityZone = "z"
    #expect(try line(Cinder.createBackup(backup)).contains(" 3.51 "))
    #expect(
      try line(Cinder.createGroup(name: "g", type: "t", volumeTypes: ["a", "b"]))
        == #"cinder_group_create: POST /groups 3.44 {"group":{"name":"g","group_type":"t","volume_types":["a","b"]}}"#)
    #expect(
      try line(Cinder.updateGroup(try id("g1"), adding: [v, s], removing: []))
        == #"cinder_group_update: PUT /groups/g1 3.44 {"group":{"add_volumes":"v1,s1"}}"#)
    #expect(
      try line(Cinder.deleteGroup(try id("g1")))
        == #"cinder_group_delete: POST /groups/g1/action 3.44 {"delete":{"delete-volumes":false}}"#)
    #expect(
      try line(Cinder.createGroupSnapshot(of: try id("g1"), name: "n"))
        == #"cinder_group_snapshot_create: POST /group_snapshots 3.44 {"group_snapshot":{"group_id":"g1","name":"n"}}"#)
  }

  @Test func `attachments`() throws {
    let a = try id("a1")
    #expect(
      try line(Cinder.createAttachment(of: try id("v1"), instance: try id("n1"), connector: ["host": "h"]))
        == #"cinder_attachment_create: POST /attachments 3.44 "#
        + #"{"attachment":{"volume_uuid":"v1","instance_uuid":"n1","connector":{"host":"h"}}}"#)
    #expect(
      try line(Cinder.createAttachment(of: try id("v1"), instance: nil, connector: nil, mode: .readOnly))
        == #"cinder_attachment_create: POST /attachments 3.54 {"attachment":{"volume_uuid":"v1","mode":"ro"}}"#)
    #expect(
      try line(Cinder.completeAttachment(a))
        == #"cinder_attachment_complete: POST /attachments/a1/action 3.44 {"os-complete":{}}"#)
    #expect(try line(Cinder.deleteAttachment(a)) == "cinder_attachment_delete: DELETE /attachments/a1 3.44")
    #expect(
      try line(Cinder.listAttachments(volume: try id("v1"), instance: try id("n1")))
        == "cinder_attachment_list: GET /attachments/detail?volume_id=v1&instance_id=n1 3.44")
  }

  @Test func `facilities`() throws {
    #expect(try line(Cinder.listPools()) == "cinder_pool_list: GET /scheduler-stats/get_pools?detail=true 3.44")
    #expect(try line(Cinder.listTypes()) == "cinder_type_list: GET /types 3.44")
    #expect(try line(Cinder.getLimits()) == "cinder_limits_get: GET /limits 3.44")
    #expect(
      try line(Cinder.listMessages(about: try id("v1")))
        == "cinder_message_list: GET /messages?resource_uuid=v1&sort=created_at%3Adesc&limit=20 3.44")
    #expect(
      try line(Cinder.listAvailabilityZones()) == "cinder_availability_zone_list: GET /os-availability-zone 3.44")
    #expect(try line(Cinder.listServices()) == "cinder_service_list: GET /os-services 3.44")
  }

  @Test(arguments: ["", ".", "..", "a/b", "a b", "a%2e", "ä", String(repeating: "a", count: 65)])
  func `what is no id gets into no path`(text: String) { #expect(ResourceID(text) == nil) }
}

@Suite struct `Requests to Nova` {
  @Test func `attaching, detaching and reading`() throws {
    let s = try id("s1")
    let v = try id("v1")
    #expect(
      try line(Nova.attachVolume(v, to: s))
        == "nova_volume_attachment_create: POST /servers/s1/os-volume_attachments 2.60...2.101 "
        + #"{"volumeAttachment":{"volumeId":"v1"}}"#)
    #expect(
      try line(Nova.detachVolume(v, from: s))
        == "nova_volume_attachment_delete: DELETE /servers/s1/os-volume_attachments/v1 2.60")
    #expect(
      try line(Nova.listAttachedVolumes(of: s))
        == "nova_volume_attachment_list: GET /servers/s1/os-volume_attachments 2.60")
    #expect(try line(Nova.getServer(s)) == "nova_server_get: GET /servers/s1 2.60")
  }

  @Test func `both headers of versions are sent`() throws {
    let request = Nova.getServer(try id("s1")).httpRequest(
      base: try #require(ServiceAddress("http://n/v2.1")), token: Secret("t"), version: Microversion(2, 60))
    #expect(request.header("OpenStack-API-Version") == "compute 2.60")
    #expect(request.header("X-OpenStack-Nova-API-Version") == "2.60")
    #expect(request.url == "http://n/v2.1/servers/s1")
  }
}
