import Storage
import Testing

@testable import FileBackend

@Suite struct MetadataTests {
  @Test func `files keep their meaning and new ones can be read by earlier versions`() throws {
    let stored = """
      {"attachment":{"capability":"block singleNodeWriter","node":"n","read_only":true},"capacity":3221225472,\
      "content":"xfs","ephemeral":false,"format":"formatting","format_type":"xfs","name":"名\\u000a\\u007f\\"",\
      "parameters":{"a":"1","mkfsOptions":"-m 0"},"source_volume":"v","version":1}

      """
    let record = VolumeRecord(
      id: NativeID("id"), name: "名\n\u{7f}\"", capacity: .gib(3), content: .filesystem(.xfs), format: .formatting(.xfs),
      parameters: ["mkfsOptions": "-m 0", "a": "1"], source: .volume(NativeID("v")), isEphemeral: false,
      attachment: LocalAttachment(node: NodeID("n"), capability: "block singleNodeWriter", readOnly: true))
    #expect(try VolumeRecord(id: record.id, parsing: Array(stored.utf8)) == record)
    // "\n" is the same as "\u000a" to every reader of JSON.
    let written = String(decoding: record.encoded, as: UTF8.self)
    #expect(written == stored.replacing("\\u000a", with: "\\n"))
  }

  @Test(arguments: [
    "", "{", "[]", "{}", "{\"version\":1.5}", "{\"version\":\"1\"}", "{\"version\":99999999999999999999}",
    "{\"version\":1}", "{\"version\":1,\"version\":1}", String(repeating: "[", count: 100_000),
  ])
  func `anything else than a record is damaged`(text: String) {
    #expect(throws: Damaged.self) { try VolumeRecord(id: NativeID("v"), parsing: Array(text.utf8)) }
  }

  @Test(arguments: [
    FormatState.unformatted, .formatting(.xfs), .formatted, .copied(.btrfs), .unrecorded,
  ])
  func `records survive a round trip`(format: FormatState) throws {
    for (content, source) in [
      (VolumeContent.block, nil), (.filesystem(.xfs), ContentSource.volume(NativeID("v"))),
      (.filesystem(.btrfs), .snapshot(NativeID("s"))),
    ] {
      var record = VolumeRecord(
        id: NativeID("id"), name: "名前\n", capacity: .gib(3), content: content, format: format,
        parameters: ["mkfsOptions": "-m 0"], source: source, isEphemeral: source == nil, attachment: nil,
        mutable: source == nil ? [:] : ["iops-read": "100"])
      #expect(try VolumeRecord(id: record.id, parsing: record.encoded) == record)
      record.attachment = LocalAttachment(
        node: NodeID("n"), capability: VolumeCapability(.block, .singleNodeWriter), readOnly: true)
      #expect(try VolumeRecord(id: record.id, parsing: record.encoded) == record)
      let snapshot = SnapshotRecord(
        of: record, id: NativeID("s"), name: "", created: Timestamp(seconds: 5, nanoseconds: 6), group: NativeID("g"))
      #expect(try SnapshotRecord(id: snapshot.id, group: snapshot.group, parsing: snapshot.encoded) == snapshot)
    }
    let group = GroupRecord(
      id: NativeID("g"), name: "g", created: Timestamp(seconds: 1), members: [NativeID("b"), NativeID("a")])
    #expect(try GroupRecord(id: group.id, parsing: group.encoded) == group)
  }

  @Test func `mount flags are compared but not stored`() {
    func attachment(_ flags: [String]) -> LocalAttachment {
      LocalAttachment(
        node: NodeID("n"),
        capability: VolumeCapability(.mount(MountCapability(flags: flags)), .singleNodeWriter), readOnly: false)
    }
    #expect(attachment(["password=hunter2"]) == attachment(["password=hunter2"]))
    #expect(attachment(["password=hunter2"]) != attachment(["password=hunter3"]))
    #expect(attachment(["a", "b"]) != attachment(["ab"]))
    #expect(!attachment(["password=hunter2"]).capability.contains("hunter"))
  }

  @Test func `plain names are ids and all others become harmless ones`() {
    for name in ["a", "pvc-1", "A.b_c-9", String(repeating: "x", count: 80)] {
      #expect(Identifier.derived(from: name).rawValue == name)
    }
    for name in ["", ".", "..", ".a", "-a", "a/b", "u5-a", "é", String(repeating: "x", count: 81)] {
      let id = Identifier.derived(from: name).rawValue
      #expect(id.hasPrefix("u5-") && id.utf8.count == 39)
      #expect(id == Identifier.derived(from: name).rawValue)
    }
    // Fixed for ever: volumes are found by it after an upgrade.
    #expect(Identifier.derived(from: "a/b").rawValue == "u5-d4c187f9-03c7-5eee-876f-cbe6d845ad83")
  }

  @Test func `available space is what is free times the ratio, less what is promised and not yet taken`() {
    var ledger = Ledger()
    #expect(ledger.available(free: .gib(10), ratio: 1) == .gib(10))
    #expect(ledger.available(free: .gib(10), ratio: 2.5) == .gib(25))
    ledger.provisioned = .gib(8)
    #expect(ledger.available(free: .gib(10), ratio: 1) == .gib(2))
    ledger.allocated = .gib(3)
    #expect(ledger.available(free: .gib(10), ratio: 1) == .gib(5))
    #expect(ledger.available(free: .gib(4), ratio: 1) == .zero)
    ledger.allocated = .gib(9)
    #expect(ledger.available(free: .gib(1), ratio: 1) == .gib(1))
    #expect(ledger.available(free: ByteCount(.max), ratio: 1000) == ByteCount(.max))
  }

  @Test func `pages come in order of bytes and survive changes`() {
    var index = Index<String>()
    for name in ["b", "a", "c", "é", "Z", "a"] { index.insert(name, for: NativeID(name)) }
    #expect(index.page(after: nil, limit: 9) == ["Z", "a", "b", "c", "é"])
    #expect(index.page(after: NativeID("a"), limit: 2) == ["b", "c"])
    #expect(index.page(after: NativeID("aa"), limit: 1) == ["b"])
    #expect(index.page(after: NativeID("\u{10ffff}"), limit: 9) == [])
    #expect(index.remove(NativeID("b")) == "b")
    #expect(index.remove(NativeID("b")) == nil)
    #expect(index.page(after: NativeID("a"), limit: 9) == ["c", "é"])
    #expect(index.page(after: nil, limit: 0) == [])
  }
}
