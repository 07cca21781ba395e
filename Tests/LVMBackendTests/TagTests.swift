import Storage
import Testing

@testable import LVMBackend

@Suite struct TagTests {
  private static let owner = try? BackendName(validating: "lvm")
  private func owner() throws -> BackendName { try #require(Self.owner) }

  private func volume(_ change: (inout VolumeRecord) -> Void = { _ in }) -> VolumeRecord {
    let lv = Naming.derived(.volume, from: "größer @ 1=2")
    var record = VolumeRecord(
      path: LVPath("vg0", lv), id: LocalID(.volume, name: lv, node: NodeID("n 1")).id, name: "größer @ 1=2",
      size: .gib(2), wantedSize: .gib(1), deviceClass: "fast", content: .filesystem(.xfs), format: .formatting(.xfs),
      encryption: .luks2, parameters: ["mkfsOptions": "-m crc=1,bigtime=1 -K", "encryption": "luks2"],
      mutableParameters: ["iops-read": "100"], source: .snapshot(NativeID("css_x@n 1")), isEphemeral: true,
      state: .ready,
      attachment: LocalAttachment(
        node: NodeID("n:1"), capability: VolumeCapability(.mount(MountCapability(flags: ["a"])), .singleNodeWriter),
        readOnly: true))
    change(&record)
    return record
  }

  private func read(_ record: VolumeRecord, _ tags: Set<String>) throws -> VolumeRecord? {
    try VolumeRecord(
      LogicalVolume(name: record.path.name, uuid: "u", size: record.size, tags: tags, layout: .thin),
      at: record.path, owner: try owner())
  }

  @Test func `a volume's record comes back from its tags`() throws {
    let full = volume()
    let plain = volume {
      $0.attachment = nil
      $0.mutableParameters = [:]
      $0.wipedSize = .gib(1)
      $0.state = .new
      $0.format = .unformatted
    }
    for record in [full, plain] {
      let tags = record.tags(owner: try owner())
      #expect(try read(record, tags) == record)
      #expect(try read(record, tags.union(["admin", "other=1"])) == record)
      for tag in tags {
        #expect(tag.utf8.count <= TagText.limit)
        #expect(
          tag.utf8.allSatisfy {
            "_+.-/=!:&#".utf8.contains($0) || Character(UnicodeScalar($0)).isLetter
              || Character(UnicodeScalar($0)).isNumber
          })
      }
    }
  }

  @Test func `the longest names fit into a tag`() throws {
    let record = volume()
    let snapshot = SnapshotRecord(
      path: record.path, id: record.id, name: String(repeating: "😀", count: 32),
      source: NativeID(Naming.derived(.volume, from: "x") + "@" + String(repeating: " ", count: 90)), sourceUUID: "u",
      size: .gib(1),
      created: Timestamp(seconds: 1, nanoseconds: 2), deviceClass: "c", content: .block, format: .unrecorded,
      encryption: nil,
      group: .init(id: NativeID("csg_x@y"), name: String(repeating: "\u{7}", count: 128), members: 3))
    #expect(snapshot.tags(owner: try owner()).allSatisfy { $0.utf8.count <= TagText.limit })
  }

  @Test func `a snapshot's record comes back from its tags`() throws {
    let lv = Naming.derived(.snapshot, from: "s")
    for group in [nil, SnapshotRecord.Group(id: NativeID("csg_a@n"), name: "G 1", members: 2)] {
      let record = SnapshotRecord(
        path: LVPath("vg0", lv), id: LocalID(.snapshot, name: lv, node: NodeID("n")).id, name: group == nil ? "s" : "",
        source: NativeID("csi_a@n"), sourceUUID: "ou", size: .mib(8),
        created: Timestamp(seconds: 1_700_000_000, nanoseconds: 7),
        deviceClass: "fast", content: .block, format: .unrecorded, encryption: nil, group: group)
      let lv = LogicalVolume(
        name: lv, uuid: "u", size: .mib(8), tags: record.tags(owner: try owner()), layout: .thin)
      #expect(try SnapshotRecord(lv, at: record.path, owner: try owner()) == record)
    }
  }

  @Test func `every missing or damaged tag is told of`() throws {
    let record = volume { $0.source = nil }
    let tags = record.tags(owner: try owner())
    let optional: Set = ["eph", "at", "enc", "p", "m", "v"]
    for tag in tags {
      let key = String(tag.dropFirst(4).prefix { $0 != "=" })
      if !optional.contains(key) {
        #expect(throws: StorageError.self, "without \(tag)") { try read(record, tags.subtracting([tag])) }
      }
      if !["n", "node", "cls", "drv"].contains(key) {
        #expect(throws: StorageError.self, "damaged \(tag)") {
          try read(record, tags.subtracting([tag]).union(["csi.\(key)=:?"]))
        }
      }
      #expect(throws: StorageError.self, "twice \(tag)") { try read(record, tags.union([tag + "x"])) }
    }
    #expect(throws: StorageError.self, "unknown") { try read(record, tags.union(["csi.future=1"])) }
    #expect(throws: StorageError.self, "no tags at all") { try read(record, []) }
    #expect(throws: StorageError.self, "another version") {
      try read(record, tags.subtracting(["csi.v=1"]).union(["csi.v=2"]))
    }
  }

  @Test func `what another driver made is not ours`() throws {
    let record = volume()
    let tags = record.tags(owner: try BackendName(validating: "other"))
    #expect(try read(record, tags) == nil)
  }

  @Test(arguments: ["", "a", "=", "==3D", "a b", "\u{0}", "é", "😀", "a:b&c=d", String(repeating: " ", count: 300)])
  func `escaping is undone by reading`(text: String) {
    #expect(TagText.plain(TagText.escaped(text)) == text)
    #expect(TagText.map(Substring(TagText.escaped([text: text, "k": "v"]))) == [text: text, "k": "v"])
  }

  @Test(arguments: ["=", "=4", "=4g", "a b", "=FF", "=3d"]) func `what escaping never writes is refused`(text: String) {
    #expect(TagText.plain(text) == nil)
  }
}
