/// Conformances: the way between Swift, C and JSON.
extension Code {
  mutating func conform(_ message: Schema.Message) {
    line("")
    block("extension \(Names.type(message.path)): WireMessage") { code in
      code.line("typealias C = \(Names.cStruct(message.path))")
      code.line("")
      code.line("static func initialize(_ c: UnsafeMutablePointer<C>) { \(Names.cInitializer(message.path))(c) }")
      code.line("")
      code.block("init(_ c: UnsafePointer<C>) throws(CSIDecodeError)") { $0.decode(message) }
      code.line("")
      code.block("func fill(_ c: UnsafeMutablePointer<C>, _ arena: Arena) throws(CSIEncodeError)") {
        $0.encode(message)
      }
      code.line("")
      code.block("package init(json: JSON) throws(JSONError)") { $0.readJSON(message) }
      code.line("")
      code.block("package func json(redacting: Bool) -> JSON") { $0.writeJSON(message) }
    }
    for inner in message.messages { conform(inner) }
  }

  private mutating func decode(_ message: Schema.Message) {
    line("self.init()")
    for field in message.fields where field.oneof == nil {
      line("\(Names.property(field.name)) = \(field.decoding(message))")
    }
    for oneof in message.oneofs {
      line("switch c.pointee.\(oneof)_case.rawValue {")
      for field in message.fields where field.oneof == oneof {
        let member = "\(Names.property(field.name))(try Decode.member(c.pointee.\(field.name)))"
        line("case \(field.number): \(Names.property(oneof)) = .\(member)")
      }
      line("default: break")
      line("}")
    }
  }

  private mutating func encode(_ message: Schema.Message) {
    for field in message.fields where field.oneof == nil {
      for text in field.encoding(message) { line(text) }
    }
    for oneof in message.oneofs {
      line("switch \(Names.property(oneof)) {")
      for field in message.fields where field.oneof == oneof {
        line("case .\(Names.property(field.name))(let member)?:")
        line("  c.pointee.\(oneof)_case = .init(rawValue: \(field.number))")
        line("  c.pointee.\(field.name) = try arena.member(member)")
      }
      line("case nil: break")
      line("}")
    }
  }

  private mutating func readJSON(_ message: Schema.Message) {
    let name = message.path.joined(separator: ".")
    line("self.init()")
    guard !message.fields.isEmpty else {
      line("try json.forEachField(of: \"\(name)\") { (_, _) throws(JSONError) in false }")
      return
    }
    block("try json.forEachField(of: \"\(name)\")", "(key, value) throws(JSONError) in") { code in
      code.line("switch key {")
      for field in message.fields {
        let keys = field.name == Names.json(field.name) ? [field.name] : [field.name, Names.json(field.name)]
        code.line("case \(keys.map { "\"\($0)\"" }.joined(separator: ", ")): \(field.readingJSON)")
      }
      code.line("default: return false")
      code.line("}")
      code.line("return true")
    }
  }

  private mutating func writeJSON(_ message: Schema.Message) {
    guard !message.fields.isEmpty else { return line(".object([])") }
    line("var fields = JSONFields(redacting: redacting)")
    for field in message.fields {
      if let oneof = field.oneof {
        let pattern = ".\(Names.property(field.name))(let member)? = \(Names.property(oneof))"
        line("if case \(pattern) { fields.add(\"\(field.name)\", member) }")
      } else {
        // The protocol says that mount flags may hold sensitive words.
        let add = field.name == "mount_flags" ? "addSensitive" : "add"
        line("fields.\(add)(\"\(field.name)\", \(Names.property(field.name)))")
      }
    }
    line("return fields.object")
  }
}

extension Schema.Field {
  /// Swift value from the C struct `c`.
  fileprivate func decoding(_ message: Schema.Message) -> String {
    let c = "c.pointee.\(name)"
    let count = "c.pointee.n_\(name)"
    let label = "\"\(message.path.joined(separator: ".")).\(name)\""
    if isRepeated {
      if type == .string { return "try Decode.strings(\(c), \(count), \(label))" }
      return "try Decode.messages(\(c), \(count))"
    }
    return switch type {
    case .string: "try Decode.string(\(c), \(label))"
    case .bool: "\(c) != 0"
    case .int32, .int64: c
    case .optionalBool: "\(c).map { $0.pointee.value != 0 }"
    case .optionalInt64: "\(c).map { $0.pointee.value }"
    case .timestamp, .message: "try Decode.message(\(c))"
    case .map(_, let isSecret):
      isSecret
        ? "SecretMap(try Decode.map(\(c), \(count), \(label)))" : "try Decode.map(\(c), \(count), \(label))"
    case .enumeration(let path): "\(Names.type(path))(rawValue: Int32(bitPattern: \(c).rawValue))"
    }
  }

  /// Statements that set the field of the C struct `c`, which has its defaults.
  fileprivate func encoding(_ message: Schema.Message) -> [String] {
    let c = "c.pointee.\(name)"
    let swift = Names.property(name)
    let label = "\"\(message.path.joined(separator: "."))\""
    if isRepeated {
      let list = type == .string ? "try arena.strings(\(swift), \(label))" : "try arena.messages(\(swift))"
      return ["if !\(swift).isEmpty {", "  \(c) = \(list)", "  c.pointee.n_\(name) = \(swift).count", "}"]
    }
    switch type {
    case .string: return ["if !\(swift).isEmpty { \(c) = try arena.string(\(swift), \(label)) }"]
    case .bool: return ["\(c) = \(swift) ? 1 : 0"]
    case .int32, .int64: return ["\(c) = \(swift)"]
    case .optionalBool, .optionalInt64: return ["\(c) = try arena.wrapper(\(swift))"]
    case .timestamp, .message: return ["\(c) = try arena.message(\(swift))"]
    case .enumeration: return ["\(c) = .init(rawValue: UInt32(bitPattern: \(swift).rawValue))"]
    case .map(let entry, let isSecret):
      let initializer = Names.cInitializer(message.path + [entry])
      let values = isSecret ? "\(swift).reveal()" : swift
      return [
        "if !\(swift).isEmpty {",
        "  let entries = \(values)",
        "  \(c) = try arena.map(entries, { \(initializer)($0) }, \(label))",
        "  c.pointee.n_\(name) = entries.count",
        "}",
      ]
    }
  }

  /// Statement that sets the property from the JSON `value`.
  fileprivate var readingJSON: String {
    let swift = Names.property(name)
    if let oneof {
      let property = Names.property(oneof)
      return "\(property) = .\(swift)(try value.memberField(unless: \(property) != nil))"
    }
    if isRepeated { return "\(swift) = try value.\(type == .string ? "strings" : "messages")Field()" }
    let reader =
      switch type {
      case .string: "stringField"
      case .bool, .optionalBool: "boolField"
      case .int32: "int32Field"
      case .int64, .optionalInt64: "int64Field"
      case .timestamp, .message: "messageField"
      case .map(_, let isSecret): isSecret ? "secretsField" : "mapField"
      case .enumeration: "enumField"
      }
    return "\(swift) = try value.\(reader)()"
  }
}
