import CSI
import JSONText
import Testing

@Suite struct JSONTests {
  @Test func `values are read and written`() throws {
    let text =
      #" {"a" : [1, -2, 9223372036854775807, 1.5, 1e3], "b":{"c":null},"d":true,"e":false, "f":"x\u00e9\ud83d\ude42\n"} "#
    let json = try JSON(parsing: text)
    #expect(json["a"] == [1, -2, 9_223_372_036_854_775_807, .number(1.5), .number(1000)])
    #expect(json["b"]?["c"] == .null)
    #expect(json["f"] == "xé🙂\n")
    #expect(json.text == #"{"a":[1,-2,9223372036854775807,1.5,1000.0],"b":{"c":null},"d":true,"e":false,"f":"xé🙂\n"}"#)
    #expect(try JSON(parsing: json.prettyText) == json)
  }

  @Test(arguments: [
    "", " ", "{", "[", "]", "{}}", "[1,]", "{,}", #"{"a":1,}"#, #"{"a"}"#, "{a:1}", "01", "1.", ".5", "+1", "-", "1e",
    "tru",
    "nul", "NaN", "Infinity", "1e999", "\"", "\"\u{1}\"", #""\x""#, #""\u12""#, #""\ud800""#, #""\ud800\u0041""#,
    #""\udc00""#, #"{"a":1,"a":2}"#, "1 2", "// x", "'a'",
  ])
  func `what is not JSON is refused`(text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test func `bytes are read as texts are, and must be UTF-8`() throws {
    #expect(try JSON(parsing: Array(#"{"é\n":[1,"😀"]}"#.utf8)) == ["é\n": [1, "😀"]])
    for bytes: [UInt8] in [
      [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC0, 0x80],
    ] {
      #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
    }
  }

  @Test func `bytes at random never crash the parser and what is read survives a round trip`() throws {
    var seed: UInt64 = 42
    let alphabet = Array("{}[]\",:\\u0019ntfalse \u{e9}".utf8) + [0xFF, 0x80, 0]
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<24 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes.append(alphabet[Int(seed >> 33) % alphabet.count])
      }
      if let value = try? JSON(parsing: bytes) { #expect(try JSON(parsing: Array(value.text.utf8)) == value) }
    }
  }

  @Test func `values are had by what they should be, and nil when they are something else`() {
    let json: JSON = ["s": "x", "i": 7, "b": true, "a": [1], "o": ["k": "v"], "m": ["k": "v", "n": 1]]
    #expect(json["s"]?.string == "x" && json["i"]?.integer == 7 && json["b"]?.bool == true && json["a"]?.array == [1])
    #expect(json["o"]?.strings == ["k": "v"] && json["m"]?.strings == nil && json["s"]?.strings == nil)
    #expect(json["i"]?.string == nil && json["s"]?.integer == nil && json["i"]?.bool == nil && json["o"]?.array == nil)
    #expect(JSON.number(1.5).integer == nil)
  }

  @Test func `a file of one line has its keys in order`() throws {
    let hard = ["", "\"\\/", "\n\t\r\u{8}\u{c}\u{1}\u{7f}", "名前 😀 e\u{301} \u{2028}", "\u{fffd}", "null"]
    let line = JSON.line([
      "b": .integer(.min), "a": .strings(["z": "1", "y": "2"]), "c": .array(hard.map(JSON.string)),
    ])
    #expect(String(decoding: line, as: UTF8.self).hasPrefix(#"{"a":{"y":"2","z":"1"},"b":-9223372036854775808,"c":["#))
    #expect(line.count { $0 == 0x0A } == 1 && line.last == 0x0A)
    #expect(try JSON(parsing: line)["c"]?.array?.compactMap(\.string) == hard)
  }

  @Test func `nesting is bounded`() {
    let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    #expect(throws: Never.self) { try JSON(parsing: deep(JSON.depthLimit)) }
    #expect(throws: JSONError.self) { try JSON(parsing: deep(JSON.depthLimit + 1)) }
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[{\"a\":", count: 100_000)) }
  }

  @Test func `errors of syntax name line and column`() {
    #expect(throws: JSONError("line 2, column 6: expected ':'")) { try JSON(parsing: "{\n \"a\" 1}") }
  }

  @Test func `control characters never reach a terminal`() {
    #expect(JSON.string("a\u{1B}[2J\u{7F}\u{9B}\0").text == #""a\u001b[2J\u007f\u009b\u0000""#)
  }

  @Test func `a message is read from snake case and from lower camel case`() throws {
    let expected = ControllerPublishVolumeRequest(
      volumeID: "v", nodeID: "n",
      volumeCapability: .init(accessType: .block(.init()), accessMode: .init(mode: .singleNodeWriter)), readonly: true)
    let snake =
      #"{"volume_id":"v","node_id":"n","volume_capability":{"block":{},"access_mode":{"mode":"SINGLE_NODE_WRITER"}},"readonly":true}"#
    let camel =
      #"{"volumeId":"v","nodeId":"n","volumeCapability":{"block":{},"accessMode":{"mode":1}},"readonly":true}"#
    #expect(try ControllerPublishVolumeRequest(json: JSON(parsing: snake)) == expected)
    #expect(try ControllerPublishVolumeRequest(json: JSON(parsing: camel)) == expected)
    #expect(expected.json.text == snake)
  }

  @Test func `64-bit integers are read as numbers and as strings`() throws {
    for text in ["9007199254740993", "\"9007199254740993\""] {
      let range = try CapacityRange(json: JSON(parsing: "{\"required_bytes\": \(text)}"))
      #expect(range.requiredBytes == 9_007_199_254_740_993)
      #expect(range.json.text == #"{"required_bytes":9007199254740993}"#)
    }
    #expect(try CapacityRange(json: ["required_bytes": .number(1e9)]).requiredBytes == 1_000_000_000)
    for bad in ["1.5", "1e30", "\"12x\"", "\"\"", "\"+1\"", "9223372036854775808", "true", "[]"] {
      #expect(throws: JSONError.self) { try CapacityRange(json: JSON(parsing: "{\"required_bytes\": \(bad)}")) }
    }
    #expect(throws: JSONError.self) { try ListVolumesRequest(json: ["max_entries": 2_147_483_648]) }
  }

  @Test(arguments: [
    (
      #"{"volume_capabilities":[{},{"mount":{"fstype":"x"}}]}"#,
      "volume_capabilities[1].mount.fstype: VolumeCapability.MountVolume has no such field"
    ),
    (#"{"name":1}"#, "name: expected a string, found a number"),
    (#"{"parameters":{"a":1}}"#, "parameters.a: expected a string, found a number"),
    (
      #"{"volume_capabilities":[{"block":{},"mount":{}}]}"#,
      "volume_capabilities[0].mount: excludes a field that is also there"
    ),
    ("[]", "expected an object (CreateVolumeRequest), found an array"),
  ])
  func `errors say where and what`(text: String, message: String) throws {
    let json = try JSON(parsing: text)
    let error = #expect(throws: JSONError.self) { try CreateVolumeRequest(json: json) }
    #expect(error?.description == message)
  }

  @Test func `an enum that is not known by name is refused with the names that are`() throws {
    let error = #expect(throws: JSONError.self) { try VolumeUsage(json: ["unit": "BLOCKS"]) }
    #expect(error?.description == "unit: no such value; known are UNKNOWN, BYTES, INODES")
  }

  @Test func `null is an absent field`() throws {
    #expect(try CreateVolumeRequest(json: ["name": nil, "capacity_range": nil]) == CreateVolumeRequest())
  }
}

@Suite struct TimestampTests {
  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0, 0), ("1969-12-31T23:59:59Z", -1, 0),
      ("2000-02-29T12:00:00.500Z", 951_825_600, 500_000_000),
      ("2030-01-02T03:04:05.000000001Z", 1_893_553_445, 1), ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
      ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
      ("1900-03-01T00:00:00.000001Z", -2_203_891_200, 1000),
    ] as [(String, Int64, Int32)])
  func `times are those of RFC 3339`(text: String, seconds: Int64, nanos: Int32) {
    let time = Timestamp(seconds: seconds, nanos: nanos)
    #expect(time.rfc3339 == text)
    #expect(Timestamp(rfc3339: text) == time)
  }

  @Test func `offsets and short fractions are understood`() {
    #expect(Timestamp(rfc3339: "1970-01-01T02:00:00.5+02:00") == Timestamp(seconds: 0, nanos: 500_000_000))
    #expect(Timestamp(rfc3339: "1969-12-31t19:30:00-04:30") == Timestamp(seconds: 0))
  }

  @Test(arguments: [
    "", "1970", "1970-01-01", "1970-13-01T00:00:00Z", "1970-02-29T00:00:00Z", "1970-01-01T24:00:00Z",
    "1970-01-01T00:00:60Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.1234567890Z",
    "1970-01-01T00:00:00Zx", "1900-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "1970-01-01T00:00:00+24:00",
  ])
  func `what is no time is refused`(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

  @Test func `every day of 400 years is its own`() {
    for day in Int64(-74_000)..<74_000 {
      let time = Timestamp(seconds: day * 86_400 + 1)
      guard let text = time.rfc3339, Timestamp(rfc3339: text) == time else {
        Issue.record("day \(day)")
        return
      }
    }
  }

  @Test func `a time beyond the calendar is written as numbers`() throws {
    let time = Timestamp(seconds: .max, nanos: -1)
    #expect(time.json == ["seconds": .integer(.max), "nanos": -1])
    #expect(try Timestamp(json: time.json) == time)
  }
}
