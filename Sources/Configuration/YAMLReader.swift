import CYAML

/// Reads one YAML document (JSON is YAML) of people's or machines' making, with bounds on everything.
///
/// Refused: more than one document, anchors and aliases (small files that grow huge), tags, keys that are no text or
/// stand twice, NUL, and whatever passes the limits below.
package struct YAMLReader {
  package static let maximumBytes = 1 << 20
  package static let maximumDepth = 32
  package static let maximumNodes = 20_000

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private var nodes = 0

  /// - Returns: the document, or nil when there is none (nothing but comments).
  /// - Throws: `ConfigurationError` with the line and without the source.
  package static func parse(_ text: [UInt8]) throws -> YAMLNode? {
    guard text.count <= maximumBytes else {
      throw ConfigurationError("the file is larger than \(maximumBytes) bytes")
    }
    guard !text.contains(0) else { throw ConfigurationError("the file holds a NUL byte") }
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { parser.deallocate() }
    guard yaml_parser_initialize(parser) == 1 else { throw ConfigurationError("out of memory") }
    defer { yaml_parser_delete(parser) }
    return try text.withUnsafeBufferPointer { bytes in
      yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
      var reader = YAMLReader(parser: parser)
      return try reader.document()
    }
  }

  private init(parser: UnsafeMutablePointer<yaml_parser_t>) { self.parser = parser }

  private mutating func document() throws -> YAMLNode? {
    try expect(.streamStart)
    let first = try next()
    if first.kind == .streamEnd { return nil }
    let root = try node(next(), depth: 0)
    try expect(.documentEnd)
    let last = try next()
    guard last.kind == .streamEnd else { throw ConfigurationError("only one document is allowed", line: last.line) }
    return root
  }

  private mutating func node(_ event: Event, depth: Int) throws -> YAMLNode {
    nodes += 1
    guard nodes <= Self.maximumNodes else {
      throw ConfigurationError("more than \(Self.maximumNodes) values", line: event.line)
    }
    guard depth <= Self.maximumDepth else {
      throw ConfigurationError("nested deeper than \(Self.maximumDepth)", line: event.line)
    }
    switch event.kind {
    case .scalar(let text, let isPlain):
      return YAMLNode(content: .scalar(text, isPlain: isPlain), line: event.line)
    case .sequenceStart:
      return YAMLNode(content: .sequence(try sequence(depth: depth)), line: event.line)
    case .mappingStart:
      return YAMLNode(content: .mapping(try mapping(depth: depth)), line: event.line)
    default:
      throw ConfigurationError("malformed document", line: event.line)
    }
  }

  private mutating func sequence(depth: Int) throws -> [YAMLNode] {
    var items: [YAMLNode] = []
    while true {
      let event = try next()
      if event.kind == .sequenceEnd { return items }
      items.append(try node(event, depth: depth + 1))
    }
  }

  private mutating func mapping(depth: Int) throws -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    var seen: Set<String> = []
    while true {
      let event = try next()
      if event.kind == .mappingEnd { return entries }
      guard case .scalar(let key, _) = event.kind else {
        throw ConfigurationError("a key must be text", line: event.line)
      }
      guard seen.insert(key).inserted else {
        throw ConfigurationError("the key \"\(key)\" stands twice", line: event.line)
      }
      let value = try node(next(), depth: depth + 1)
      entries.append(YAMLNode.Entry(key: key, line: event.line, value: value))
    }
  }

  private mutating func expect(_ kind: Event.Kind) throws {
    let event = try next()
    guard event.kind == kind else { throw ConfigurationError("malformed document", line: event.line) }
  }

  private mutating func next() throws -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError }
    defer { yaml_event_delete(&event) }
    return try Event(event)
  }

  private var syntaxError: ConfigurationError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "malformed"
    let mark = parser.pointee.problem_mark
    return ConfigurationError("not YAML: \(problem) (column \(mark.column + 1))", line: Int(mark.line) + 1)
  }
}

/// One event of libyaml as a value.
private struct Event {
  enum Kind: Hashable {
    case streamStart, streamEnd, documentStart, documentEnd, sequenceStart, sequenceEnd, mappingStart, mappingEnd
    case scalar(String, isPlain: Bool)
  }

  let kind: Kind
  let line: Int

  init(_ event: yaml_event_t) throws {
    line = Int(event.start_mark.line) + 1
    switch event.type {
    case YAML_STREAM_START_EVENT: kind = .streamStart
    case YAML_STREAM_END_EVENT: kind = .streamEnd
    case YAML_DOCUMENT_START_EVENT: kind = .documentStart
    case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
    case YAML_SEQUENCE_START_EVENT:
      try Self.refuse(event.data.sequence_start.anchor, event.data.sequence_start.tag, line)
      kind = .sequenceStart
    case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
    case YAML_MAPPING_START_EVENT:
      try Self.refuse(event.data.mapping_start.anchor, event.data.mapping_start.tag, line)
      kind = .mappingStart
    case YAML_MAPPING_END_EVENT: kind = .mappingEnd
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      try Self.refuse(scalar.anchor, scalar.tag, line)
      // libyaml hands out valid UTF-8 only, but "\0" in double quotes is a NUL that C strings would hide.
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      guard !text.utf8.contains(0) else { throw ConfigurationError("a value holds NUL", line: line) }
      kind = .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
    case YAML_ALIAS_EVENT: throw ConfigurationError("aliases (*name) are not allowed", line: line)
    default: throw ConfigurationError("malformed document", line: line)
    }
  }

  private static func refuse(
    _ anchor: UnsafeMutablePointer<yaml_char_t>?, _ tag: UnsafeMutablePointer<yaml_char_t>?, _ line: Int
  ) throws {
    if anchor != nil { throw ConfigurationError("anchors (&name) are not allowed", line: line) }
    if tag != nil { throw ConfigurationError("tags (!name) are not allowed", line: line) }
  }
}
