import Glibc
import Testing

@testable import CSIClient

private let driver = "file.csi.stowage.dev"

private func references(_ text: String) throws -> References {
  try References(parsing: Array(text.utf8), driver: driver)
}

@Suite struct `References of a cluster` {
  @Test(arguments: ["vol-1\n  snap-1 \r\n\n", #"["vol-1","snap-1"]"#, " \n [ \"vol-1\",\n \"snap-1\" ]"])
  func `handles may be lines or a JSON array and of any kind`(text: String) throws {
    let found = try references(text)
    #expect(found.volumes == ["vol-1", "snap-1"])
    #expect(found.snapshots == found.volumes && found.groups == found.volumes)
  }

  @Test func `objects of the cluster are read, those of other drivers are not`() throws {
    let found = try references(
      #"""
      {"apiVersion": "v1", "kind": "List", "items": [
        {"kind": "PersistentVolume", "spec": {"csi": {"driver": "file.csi.stowage.dev", "volumeHandle": "v1"}}},
        {"kind": "PersistentVolume", "spec": {"csi": {"driver": "other", "volumeHandle": "v2"}}},
        {"kind": "PersistentVolume", "spec": {"hostPath": {"path": "/x"}}},
        {"kind": "VolumeSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {"volumeHandle": "v3"}},
         "status": {"snapshotHandle": "s1", "volumeGroupSnapshotHandle": "g1"}},
        {"kind": "VolumeSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {"snapshotHandle": "s2"}}},
        {"kind": "VolumeSnapshotContent", "spec": {"driver": "other", "source": {"snapshotHandle": "s3"}}},
        {"kind": "VolumeGroupSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {"volumeHandles": ["v4", "v5"]}},
         "status": {"volumeGroupSnapshotHandle": "g2",
          "volumeSnapshotInfoList": [{"volumeHandle": "v4", "snapshotHandle": "s4"}]}},
        {"kind": "VolumeGroupSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {"groupSnapshotHandles":
          {"volumeGroupSnapshotHandle": "g3", "volumeSnapshotHandles": ["s5", "s6"]}}}}
      ]}
      """#)
    #expect(found.volumes == ["v1", "v3", "v4", "v5"])
    #expect(found.snapshots == ["s1", "s2", "s4", "s5", "s6"])
    #expect(found.groups == ["g1", "g2", "g3"])
  }

  @Test(arguments: [
    #"{"kind": "List", "items": [{"kind": "Pod", "spec": {}}]}"#, #"{"items": 5}"#, #"[5]"#, #"[""]"#, "{", "[",
    #"{"kind": "PersistentVolume", "spec": {"csi": {"driver": "file.csi.stowage.dev", "volumeHandle": 7}}}"#,
  ])
  func `what cannot be understood is no list of references`(text: String) {
    #expect(throws: ReferencesError.self) { try references(text) }
  }

  @Test func `bytes that are no text are refused and no bytes refer to nothing`() throws {
    #expect(throws: ReferencesError.self) { try References(parsing: [0xff, 0xfe], driver: driver) }
    #expect(try references(" \n").isEmpty)
    #expect(try references(#"{"kind": "List", "items": []}"#).isEmpty)
  }
}

@Suite struct `The decision what is an orphan` {
  private let all = Set(HeldObject.Kind.allCases)

  @Test func `what is referenced is none, and a group is referenced by any member`() throws {
    let held =
      [HeldObject(.volume, "v1"), HeldObject(.volume, "v2")]
      + HeldObject.snapshots([("s1", ""), ("s2", ""), ("m1", "g1"), ("m2", "g1"), ("m3", "g2"), ("m4", "g3")])
    var found = try references(
      #"""
      {"items": [
        {"kind": "PersistentVolume", "spec": {"csi": {"driver": "file.csi.stowage.dev", "volumeHandle": "v1"}}},
        {"kind": "VolumeSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {}}, "status": {"snapshotHandle": "s1"}},
        {"kind": "VolumeSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev", "source": {}}, "status": {"snapshotHandle": "m2"}},
        {"kind": "VolumeGroupSnapshotContent",
         "spec": {"driver": "file.csi.stowage.dev"}, "status": {"volumeGroupSnapshotHandle": "g2"}}
      ]}
      """#)
    let orphans = Orphans.unreferenced(held, by: found, judging: Orphans.kinds(coveredBy: found))
    #expect(
      orphans == [
        HeldObject(.volume, "v2"), HeldObject(.snapshot, "s2"), HeldObject(.groupSnapshot, "g3", members: ["m4"]),
      ])
    found = References()
    #expect(Orphans.kinds(coveredBy: found).isEmpty)
    #expect(Orphans.unreferenced(held, by: found, judging: all).count == 7)
  }

  @Test func `a kind of which nothing is referenced is not judged`() throws {
    let volume = #"{"kind":"PersistentVolume","spec":{"csi":{"driver":"file.csi.stowage.dev","volumeHandle":"v"}}}"#
    #expect(Orphans.kinds(coveredBy: try references(volume)) == [.volume])
    #expect(Orphans.kinds(coveredBy: try references("one")) == all)
  }

  @Test func `an orphan is due when the time of grace is over since it was first seen`() {
    let object = HeldObject(.volume, "v")
    func judge(_ seen: Int64?, now: Int64) -> Orphan? {
      Orphans.judge([object], known: seen.map { [object.key: $0] } ?? [:], now: now, grace: 100).first
    }
    #expect(judge(nil, now: 1000) == Orphan(object: object, firstSeen: 1000, isDue: false))
    #expect(judge(901, now: 1000) == Orphan(object: object, firstSeen: 901, isDue: false))
    #expect(judge(900, now: 1000) == Orphan(object: object, firstSeen: 900, isDue: true))
  }

  @Test func `a clock that was set back begins the time of grace again`() {
    let object = HeldObject(.volume, "v")
    let orphans = Orphans.judge([object], known: [object.key: 5000], now: 1000, grace: 100)
    #expect(orphans == [Orphan(object: object, firstSeen: 1000, isDue: false)])
  }

  @Test func `a snapshot and a volume of one id are two things`() {
    let volume = HeldObject(.volume, "x")
    let snapshot = HeldObject(.snapshot, "x")
    let orphans = Orphans.judge([volume, snapshot], known: [volume.key: 1], now: 1000, grace: 100)
    #expect(orphans.map(\.isDue) == [true, false])
  }
}

@Suite struct `The state of orphans` {
  private func withFile(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/stowage-gc-XXXXXX".utf8CString)
    let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer {
      unlink(directory + "/state")
      rmdir(directory)
    }
    try body(directory + "/state")
  }

  @Test func `it survives a round trip, and only what is written stays`() throws {
    try withFile { path in
      let file = OrphanFile(path: path, driver: driver)
      #expect(try file.read().isEmpty)
      let odd = HeldObject(.groupSnapshot, "名\"前\n")
      try file.write([
        Orphan(object: HeldObject(.volume, "v"), firstSeen: 7, isDue: true),
        Orphan(object: odd, firstSeen: 8, isDue: false),
      ])
      #expect(try file.read() == [.init(kind: .volume, id: "v"): 7, odd.key: 8])
      try file.write([])
      #expect(try file.read().isEmpty)
    }
  }

  @Test(arguments: [
    "", "{}", "[]", #"{"version":2,"driver":"file.csi.stowage.dev","unreferenced":[]}"#,
    #"{"version":1,"driver":"another","unreferenced":[]}"#,
    #"{"version":1,"driver":"file.csi.stowage.dev","unreferenced":[{"kind":"volume","id":"v"}]}"#,
    #"{"version":1,"driver":"file.csi.stowage.dev","unreferenced":[{"kind":"volume","id":"v","first_seen":-1}]}"#,
  ])
  func `a file of somebody else is refused`(text: String) throws {
    try withFile { path in
      let file = try #require(fopen(path, "w"))
      fputs(text, file)
      fclose(file)
      #expect(throws: ReferencesError.self) { try OrphanFile(path: path, driver: driver).read() }
    }
  }
}
