import CSI
import Testing

@Suite struct RoundTripTests {
  @Test func `every message with every field set survives decoding and encoding byte for byte`() throws {
    var fields = 0
    for (type, bytes) in WireSample.all() {
      let message = try type.init(serialized: bytes)
      #expect(try message.serialized() == bytes, "\(type.messageName)")
      fields += bytes.count
    }
    #expect(allMessages.count == 105)
    #expect(fields > 10_000)
  }

  @Test func `every message survives JSON but for its secrets`() throws {
    func check<M: CSIMessage>(_ type: M.Type, _ bytes: [UInt8]) throws {
      let message = try M(serialized: bytes)
      let json = message.json
      #expect(try JSON(parsing: json.text) == json)
      #expect(try JSON(parsing: json.prettyText) == json)
      if json.text.contains(SecretMap.stripped) { return }
      #expect(try M(json: json) == message, "\(M.messageName)")
      #expect(try M(json: JSON(parsing: lowerCamelCase(json).text)) == message, "\(M.messageName)")
    }
    for (type, bytes) in WireSample.all() { try check(type, bytes) }
  }

  @Test func `an empty message is no bytes and an empty object`() throws {
    for type in allMessages {
      let message = type.init()
      #expect(try message.serialized() == [])
      #expect(message.json == .object([]))
      #expect(message.description == "{}")
      #expect(try type.init(serialized: []).serialized() == [])
    }
  }

  @Test func `numbers of enums that are not known survive`() throws {
    let bytes = Wire.number(1, 4711)
    let mode = try VolumeCapability.AccessMode(serialized: bytes)
    #expect(mode.mode == .unrecognized(4711))
    #expect(mode.mode.name == "4711")
    #expect(try mode.serialized() == bytes)
    #expect(mode.json == ["mode": 4711])
    #expect(try VolumeCapability.AccessMode(json: mode.json) == mode)
    #expect(try VolumeCapability.AccessMode(serialized: Wire.number(1, -1)).mode.rawValue == -1)
  }

  @Test func `fields that are not known are skipped`() throws {
    let unknown = Wire.number(900, 1) + Wire.text(901, "new") + [0x99, 0x38] + [UInt8](repeating: 0, count: 8)
    let request = try DeleteVolumeRequest(serialized: unknown + Wire.text(1, "v") + unknown)
    #expect(request == DeleteVolumeRequest(volumeID: "v"))
  }

  @Test func `a wrapper tells absent from default`() throws {
    #expect(try ProbeResponse(serialized: []).ready == nil)
    #expect(try ProbeResponse(serialized: [0x0A, 0]).ready == false)
    #expect(try ProbeResponse(serialized: [0x0A, 2, 8, 1]).ready == true)
    #expect(try ProbeResponse(ready: false).serialized() == [0x0A, 0])
    #expect(ProbeResponse(ready: false).json == ["ready": false])
  }

  @Test func `the last alternative of a oneof and the last entry of a map count`() throws {
    let both = Wire.bytes(2, Wire.text(1, "ext4")) + Wire.bytes(1, [])
    #expect(try VolumeCapability(serialized: both).accessType == .block(.init()))
    let entries = ["one", "two"].flatMap { Wire.bytes(1, Wire.text(1, "key") + Wire.text(2, $0)) }
    #expect(try Topology(serialized: entries).segments == ["key": "two"])
    #expect(try Topology(serialized: Wire.bytes(1, [])).segments == ["": ""])
  }

  @Test func `of a message that comes twice the texts are merged and the last numbers count`() throws {
    let texts = Wire.bytes(1, Wire.text(2, "v")) + Wire.bytes(1, Wire.number(1, 5))
    #expect(try CreateVolumeResponse(serialized: texts).volume == Volume(capacityBytes: 5, volumeID: "v"))
    let numbers = Wire.bytes(2, Wire.number(1, 5)) + Wire.bytes(2, Wire.number(1, 6) + Wire.number(2, 9))
    #expect(try CreateVolumeRequest(serialized: numbers).capacityRange == .init(requiredBytes: 6, limitBytes: 9))
  }

  @Test func `maps are written in the order of their keys`() throws {
    let keys = (10..<60).map { "key \($0)" }
    let map = Dictionary(uniqueKeysWithValues: keys.shuffled().map { ($0, "v") })
    let expected = keys.flatMap { Wire.bytes(1, Wire.text(1, $0) + Wire.text(2, "v")) }
    #expect(try Topology(segments: map).serialized() == expected)
  }

  private func lowerCamelCase(_ json: JSON, isMap: Bool = false) -> JSON {
    switch json {
    case .array(let elements): return .array(elements.map { lowerCamelCase($0) })
    case .object(let members):
      let maps: Set = ["parameters", "manifest", "mutable_parameters", "segments", "volume_context", "publish_context"]
      return .object(
        members.map { member in
          let words = member.key.split(separator: "_")
          let camel = String(words[0]) + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
          return JSON.Member(isMap ? member.key : camel, lowerCamelCase(member.value, isMap: maps.contains(member.key)))
        })
    default: return json
    }
  }
}
