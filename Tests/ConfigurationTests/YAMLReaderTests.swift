import Testing

@testable import Configuration

@Suite struct `YAML reader` {
  private func parse(_ text: String) throws -> YAMLNode? { try YAMLReader.parse(Array(text.utf8)) }

  private func problem(_ text: String) -> ConfigurationError? {
    do {
      _ = try parse(text)
      return nil
    } catch { return error as? ConfigurationError }
  }

  @Test func `mappings, lists and scalars keep their text and lines`() throws {
    let node = try #require(try parse("a: 0660\nb:\n  - x\n  - \"no\"\nc: {d: ~}\n"))
    guard case .mapping(let entries) = node.content else {
      Issue.record("no mapping")
      return
    }
    #expect(entries.map(\.key) == ["a", "b", "c"])
    #expect(entries.map(\.line) == [1, 2, 5])
    #expect(entries[0].value.content == .scalar("0660", isPlain: true))
    guard case .sequence(let items) = entries[1].value.content else {
      Issue.record("no list")
      return
    }
    #expect(items.map(\.line) == [3, 4])
    #expect(items[1].content == .scalar("no", isPlain: false))
    guard case .mapping(let inner) = entries[2].value.content else {
      Issue.record("no mapping")
      return
    }
    #expect(inner[0].value.isNull)
  }

  @Test func `JSON is read as it is`() throws {
    let node = try parse(#"{"user": "a\u00e9", "list": [1, 2]}"#)
    guard case .mapping(let entries) = node?.content else {
      Issue.record("no mapping")
      return
    }
    #expect(entries[0].value.content == .scalar("aé", isPlain: false))
  }

  @Test(arguments: ["", "# only words\n", "---\n"])
  func `an empty document is nothing`(text: String) throws {
    let node = try parse(text)
    #expect(node == nil || node?.isNull == true)
  }

  @Test(arguments: [
    ("a: 1\nb: *x\n", 2, "alias"), ("a: &x 1\n", 1, "anchor"), ("a: !!int 1\n", 1, "tag"),
    ("a: 1\na: 2\n", 2, "twice"), ("a: 1\n---\nb: 2\n", 2, "one document"), ("? [x]\n: 1\n", 1, "key"),
    ("a: \"x\\0y\"\n", 1, "NUL"), ("a: [1,\n", 2, "not YAML"), ("\ta: 1\n", 1, "not YAML"),
  ])
  func `what is not safe is refused with its line`(text: String, line: Int, word: String) throws {
    let error = try #require(problem(text))
    #expect(error.line == line)
    #expect(error.message.contains(word), "\(error)")
  }

  @Test func `size, depth and number of values are bounded`() {
    #expect(problem(String(repeating: "#", count: YAMLReader.maximumBytes + 1))?.message.contains("larger") == true)
    #expect(problem(String(repeating: "[", count: 100))?.message.contains("deeper") == true)
    let many = "[" + String(repeating: "1,", count: YAMLReader.maximumNodes) + "1]"
    #expect(problem(many)?.message.contains("more than") == true)
    #expect(problem("a: \0")?.message.contains("NUL") == true)
  }

  @Test func `invalid UTF-8 is refused`() {
    #expect(throws: ConfigurationError.self) { try YAMLReader.parse([0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]) }
  }
}
