import Storage
import Testing

@testable import LVMBackend

@Suite struct NamingTests {
  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000),
      "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
    ),
  ]) func `digests are those of the standard`(text: String, digest: String) {
    #expect(hex(SHA256.digest(of: text)) == digest)
  }

  @Test func `names are always the same, differ by kind and are known again`() {
    let volume = Naming.derived(.volume, from: "pvc-1")
    let snapshot = Naming.derived(.snapshot, from: "pvc-1")
    #expect(volume == Naming.derived(.volume, from: "pvc-1"))
    #expect(volume.dropFirst(4) != snapshot.dropFirst(4))
    #expect(volume.utf8.count == 30)
    #expect(Naming.kind(of: volume) == .volume)
    #expect(Naming.kind(of: snapshot) == .snapshot)
    #expect(Naming.kind(of: Naming.member(ofGroup: "g", source: NativeID("x"))) == .snapshot)
    #expect(Naming.derived(.volume, from: "e\u{301}") != Naming.derived(.volume, from: "\u{e9}"))
  }

  @Test(arguments: ["", "csi_", "csi_short", "root", "csi_" + String(repeating: "A", count: 26), "csi_-rf/../x"])
  func `other names are not ours`(name: String) {
    #expect(Naming.kind(of: name) == nil)
  }

  @Test func `an id is a name and a node`() throws {
    let name = Naming.derived(.volume, from: "a")
    let id = LocalID(.volume, name: name, node: NodeID("host@rack:7")).id
    let parsed = try #require(LocalID(parsing: id))
    #expect(parsed.name == name)
    #expect(parsed.node == NodeID("host@rack:7"))
    #expect(LocalID(parsing: id, as: .snapshot) == nil)
  }

  @Test(arguments: ["", "@", "@node", "csi_x@node", "../../x", String(repeating: "y", count: 5000)])
  func `hostile ids are nobody's`(id: String) {
    #expect(LocalID(parsing: NativeID(id)) == nil)
  }

  @Test func `an id without a node is nobody's`() {
    let name = Naming.derived(.volume, from: "a")
    #expect(LocalID(parsing: NativeID(name)) == nil)
    #expect(LocalID(parsing: NativeID(name + "@")) == nil)
  }
}
