import Glibc
import Logging
import Testing

@testable import Telemetry

@Suite struct `Log lines` {
  private func line(_ message: String, _ fields: [(String, Logger.MetadataValue)] = []) -> LogLine {
    LogLine(
      time: "2026-11-21T11:09:04.123456Z", level: .info, label: "stowage", message: message,
      fields: fields.map { (key: $0.0, value: $0.1) })
  }

  @Test func `JSON lines keep numbers, escape text and end in one newline`() {
    let json = line(
      "said \"hi\"\n", [("bytes", .stringConvertible(42)), ("ok", .stringConvertible(true)), ("name", "a\u{1}\\")]
    ).json
    #expect(
      json == "{\"time\":\"2026-11-21T11:09:04.123456Z\",\"level\":\"info\",\"logger\":\"stowage\","
        + "\"message\":\"said \\\"hi\\\"\\n\",\"bytes\":42,\"ok\":true,\"name\":\"a\\u0001\\\\\"}\n")
  }

  @Test func `a field cannot hide the message`() {
    #expect(line("real", [("message", "forged")]).json.contains("\"message\":\"real\",\"_message\":\"forged\""))
  }

  @Test func `lists and mappings nest`() {
    let json = line("x", [("list", ["a", "b"]), ("map", ["k": "v"])]).json
    #expect(json.contains("\"list\":[\"a\",\"b\"],\"map\":{\"k\":\"v\"}"))
  }

  @Test func `text lines cannot be forged or command the terminal`() {
    let text = line("a\nb", [("name", "\u{1b}[31mred"), ("empty", "")]).text
    #expect(text == "11:09:04.123 INFO     a\\u{a}b  name=\\u{1b}[31mred empty=\"\"\n")
  }

  @Test func `one event is one line in the file`() throws {
    var pair: [Int32] = [-1, -1]
    let made = socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &pair)
    try #require(made == 0)
    defer { pair.forEach { close($0) } }
    let descriptor = pair[0]
    let logger = Logger(label: "test") {
      LineLogHandler(label: $0, format: .json, level: .info, descriptor: descriptor)
    }
    logger.debug("not this")
    logger.info("volume created", metadata: ["volume_id": "v1"])
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(pair[1], &buffer, buffer.count, Int32(MSG_DONTWAIT))
    try #require(count > 0)
    let text = String(decoding: buffer[..<count], as: UTF8.self)
    #expect(text.hasPrefix("{\"time\":\"20"))
    #expect(
      text.hasSuffix("\"level\":\"info\",\"logger\":\"test\",\"message\":\"volume created\",\"volume_id\":\"v1\"}\n"))
    #expect(recv(pair[1], &buffer, buffer.count, Int32(MSG_DONTWAIT)) == -1)
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z"), (951_782_399, "2000-02-28T23:59:59.000000Z"),
      (951_782_400, "2000-02-29T00:00:00.000000Z"), (1_709_251_200, "2024-03-01T00:00:00.000000Z"),
      (4_107_542_400, "2100-03-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.000000Z"),
    ] as [(Int64, String)])
  func `times are those of RFC 3339`(seconds: Int64, text: String) {
    #expect(RFC3339.string(seconds: seconds, nanoseconds: 0) == text)
  }

  @Test func `fractions are microseconds`() {
    #expect(RFC3339.string(seconds: 0, nanoseconds: 1_999).hasSuffix(":00.000001Z"))
  }
}
