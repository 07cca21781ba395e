import CSI
import Testing

@testable import CSIClient

@Suite struct `Answers for people` {
  @Test func `lists are tables without empty columns`() {
    let volume = { (id: String, size: Int64) in Volume(capacityBytes: size, volumeID: id) }
    let response = ListVolumesResponse(
      entries: [.init(volume: volume("a", 1 << 30)), .init(volume: volume("longer", 1_000_000_001))], nextToken: "t")
    #expect(
      Presentation.text(of: response) == """
        VOLUME  SIZE
        a       1GiB
        longer  1000000001

        next_token  t
        """)
  }

  @Test func `an empty list says so`() {
    #expect(Presentation.text(of: ListVolumesResponse()) == "none")
  }

  @Test func `everything else is a line for each value`() {
    let response = CreateVolumeResponse(
      volume: Volume(capacityBytes: 2 << 30, volumeID: "v", volumeContext: ["k": "x"]))
    #expect(
      Presentation.text(of: response) == """
        volume.capacity_bytes    2GiB
        volume.volume_id         v
        volume.volume_context.k  x
        """)
    #expect(Presentation.text(of: DeleteVolumeResponse()) == "")
  }

  @Test func `hostile names cannot command the terminal`() {
    let response = CreateVolumeResponse(volume: Volume(volumeID: "a\u{1b}[2J\u{9b}31m\n"))
    #expect(Presentation.text(of: response) == "volume.volume_id  a\\u{1b}[2J\\u{9b}31m\\u{a}")
  }

  @Test func `every table reads fields that its message has`() throws {
    for (name, table) in Presentation.tables {
      let method = try #require(allMethods.first { $0.response.messageName == name }, "\(name)")
      let json = JSON.object([.init(String(table.list.split(separator: ".")[0]), table.list.contains(".") ? [:] : [])])
      #expect(throws: Never.self) { try method.response.init(json: json) }
    }
  }
}
