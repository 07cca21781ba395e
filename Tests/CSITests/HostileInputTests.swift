import Testing

@testable import CSI

@Suite struct HostileInputTests {
  @Test func `text that is not UTF-8 is refused wherever it stands`() {
    let bad: [[UInt8]] = [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x61, 0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]]
    for text in bad {
      #expect(throws: CSIDecodeError.invalidUTF8(field: "DeleteVolumeRequest.volume_id")) {
        try DeleteVolumeRequest(serialized: Wire.bytes(1, text))
      }
      #expect(throws: CSIDecodeError.invalidUTF8(field: "VolumeCapability.MountVolume.mount_flags")) {
        try VolumeCapability(serialized: Wire.bytes(2, Wire.text(2, "ro") + Wire.bytes(2, text)))
      }
      for part in [1, 2] as [UInt32] {
        #expect(throws: CSIDecodeError.invalidUTF8(field: "DeleteVolumeRequest.secrets")) {
          try DeleteVolumeRequest(serialized: Wire.bytes(2, Wire.bytes(part, text)))
        }
      }
    }
  }

  @Test(arguments: ["\0", "a\0", "\0b", "vol\0ume"])
  func `a NUL in a text is refused and never cuts it short`(text: String) {
    #expect(throws: CSIDecodeError.embeddedNUL(field: "DeleteVolumeRequest.volume_id")) {
      try DeleteVolumeRequest(serialized: Wire.text(1, text))
    }
    #expect(throws: CSIDecodeError.embeddedNUL(field: "Topology.segments")) {
      try Topology(serialized: Wire.bytes(1, Wire.text(1, "k") + Wire.text(2, text)))
    }
    #expect(throws: CSIEncodeError.self) { try DeleteVolumeRequest(volumeID: text).serialized() }
    #expect(throws: CSIEncodeError.self) { try Topology(segments: [text: "v"]).serialized() }
    #expect(throws: JSONError.self) { try DeleteVolumeRequest(json: ["volume_id": .string(text)]) }
  }

  @Test func `a message that is cut off is refused unless the cut is between two fields`() {
    for (type, bytes) in WireSample.all() {
      let ends = Wire.fieldEnds(bytes)
      for count in bytes.indices {
        let cut = Array(bytes[..<count])
        if ends.contains(count) {
          #expect(throws: Never.self, "\(type.messageName) cut to \(count)") { try type.init(serialized: cut) }
        } else {
          #expect(throws: CSIDecodeError.self, "\(type.messageName) cut to \(count)") { try type.init(serialized: cut) }
        }
      }
    }
  }

  @Test func `wrong wire types, overlong numbers and groups are refused`() {
    let bad: [[UInt8]] = [
      [0x08, 0x01],  // volume_id as a number
      [0x0A],  // no length
      [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],  // length of 4 GiB
      [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
      [0x0B, 0x0C], [0x0F], [0x00], [0x80],
      [UInt8](repeating: 0xFF, count: 64),
    ]
    for bytes in bad { #expect(throws: CSIDecodeError.self) { try DeleteVolumeRequest(serialized: bytes) } }
  }

  @Test func `memory for one message is bounded`() {
    // Two bytes on the wire for each entry, a hundred in memory.
    let bytes = Array(repeatElement([0x0A, 0x00] as [UInt8], count: 2 << 20).joined())
    #expect(throws: CSIDecodeError.malformed(message: "ListVolumesResponse")) {
      try ListVolumesResponse(serialized: bytes)
    }
    #expect(throws: Never.self) { try ListVolumesResponse(serialized: Array(bytes.prefix(200_000))) }
  }

  @Test func `a full page of blocks is decoded`() throws {
    let blocks = (0..<250_000).map { BlockMetadata(byteOffset: $0 << 20, sizeBytes: 1 << 20) }
    let response = GetMetadataAllocatedResponse(blockMetadataType: .fixedLength, blockMetadata: blocks)
    let bytes = try response.serialized()
    #expect(bytes.count > 2 << 20)
    #expect(try GetMetadataAllocatedResponse(serialized: bytes) == response)
  }

  @Test func `bytes at random never do harm`() {
    var random = Generator(state: 7)
    for (type, sample) in WireSample.all() {
      for _ in 0..<200 {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
          bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
        }
        guard let message = try? type.init(serialized: bytes) else { continue }
        #expect(!message.description.isEmpty)
        #expect(throws: Never.self) { try type.init(serialized: message.serialized()) }
      }
    }
  }
}

/// A linear congruential generator, so that a failure can be repeated.
private struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
