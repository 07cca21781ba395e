import Host
import Storage
import Testing

@testable import Driver

@Suite struct EncryptionDecisionTests {
  private func decide(_ state: FormatState, _ content: DeviceContent, readOnly: Bool = false) -> EncryptionDecision? {
    try? EncryptionDecision.decide(state: state, content: content, readOnly: readOnly)
  }

  private static let luks = DeviceContent.holds(type: "crypto_LUKS")
  private static let used: [FormatState] = [.formatting(.ext4), .formatted, .copied(.btrfs)]

  @Test func `a header is made only on a volume that was never used and is empty, or was interrupted`() {
    #expect(decide(.unformatted, .empty) == .make)
    #expect(decide(.unrecorded, .empty) == .make)
    for content in [.empty, Self.luks, .holds(type: DeviceContent.unknownData)] {
      #expect(decide(.encrypting, content) == .make)
      #expect(decide(.encrypting, content, readOnly: true) == nil)
    }
    for state in Self.used { #expect(decide(state, .empty) == nil) }
    #expect(decide(.unformatted, .empty, readOnly: true) == nil)
  }

  @Test func `what holds a header is opened, whatever was done inside`() {
    for state in Self.used + [.unformatted, .unrecorded] {
      #expect(decide(state, Self.luks) == .open)
      #expect(decide(state, Self.luks, readOnly: true) == .open)
    }
  }

  @Test func `foreign and unknown content is left alone in every state`() {
    for state in Self.used + [.unformatted, .unrecorded, .encrypting] {
      #expect(decide(state, .holds(type: "ext4")) == nil)
      #expect(decide(state, .holds(type: "gpt")) == nil)
      #expect(decide(state, .unknown("read error")) == nil)
      if state != .encrypting { #expect(decide(state, .holds(type: DeviceContent.unknownData)) == nil) }
    }
  }

  @Test func `names of opened devices are the volume's own and fit device-mapper`() throws {
    let file = try BackendName(validating: "file")
    let lvm = try BackendName(validating: "lvm")
    let ids = [
      QualifiedID(backend: file, native: NativeID("a"), defaultBackend: file),
      QualifiedID(backend: lvm, native: NativeID("a"), defaultBackend: file),
      QualifiedID(backend: file, native: NativeID(String(repeating: "ä/", count: 500)), defaultBackend: file),
    ]
    let names = ids.map(EncryptedName.of)
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(name.utf8.count == 40)
      #expect(name.dropFirst(8).utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) })
    }
    // Whether ids carry a prefix depends on the configuration's order; the name must not.
    #expect(names[0] == EncryptedName.of(QualifiedID(backend: file, native: NativeID("a"), defaultBackend: lvm)))
  }
}
