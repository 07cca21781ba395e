/// Declarations of types: what others see.
extension Code {
  mutating func declare(_ message: Schema.Message) {
    line("")
    structure(message)
    conform(message)
  }

  mutating func declare(_ enumeration: Schema.Enumeration) {
    line("")
    self.enumeration(enumeration)
  }

  private mutating func structure(_ message: Schema.Message) {
    comment(message.comment, isAlpha: message.isAlpha)
    block("package struct \(Names.type(message.path[message.path.count - 1])): CSIMessage") { code in
      code.line("package static var messageName: String { \"\(message.path.joined(separator: "."))\" }")
      for property in message.properties {
        code.line("")
        code.comment(property.comment, isAlpha: property.isAlpha)
        code.line("package var \(property.name): \(property.type) = \(property.initial)")
      }
      code.line("")
      code.line("package init() {}")
      if !message.properties.isEmpty { code.memberwise(message) }
      for oneof in message.oneofs { code.oneof(oneof, of: message) }
      for enumeration in message.enums { code.declare(enumeration) }
      for inner in message.messages {
        code.line("")
        code.structure(inner)
      }
    }
  }

  private mutating func memberwise(_ message: Schema.Message) {
    let parameters = message.properties.map { "\($0.name): \($0.type) = \($0.initial)" }
    line("")
    line("package init(")
    for (index, parameter) in parameters.enumerated() {
      line("  " + parameter + (index < parameters.count - 1 ? "," : ""))
    }
    block(")") { code in
      for property in message.properties { code.line("self.\(property.name) = \(property.name)") }
    }
  }

  private mutating func oneof(_ name: String, of message: Schema.Message) {
    line("")
    line("/// The alternatives of `\(name)`.")
    block("package enum \(Names.oneof(name)): Hashable, Sendable") { code in
      for field in message.fields where field.oneof == name {
        code.comment(field.comment, isAlpha: field.isAlpha)
        code.line("case \(Names.property(field.name))(\(field.swiftType))")
      }
    }
  }

  private mutating func enumeration(_ enumeration: Schema.Enumeration) {
    comment(enumeration.comment, isAlpha: enumeration.isAlpha)
    block("package enum \(Names.type(enumeration.path[enumeration.path.count - 1])): CSIEnum") { code in
      for value in enumeration.values {
        code.comment(value.comment, isAlpha: value.isAlpha)
        code.line("case \(Names.enumCase(value.name))")
      }
      code.line("/// A number that this version of the protocol does not name.")
      code.line("case unrecognized(Int32)")
      code.line("")
      code.line("package static var allCases: [Self] {")
      code.line("  [" + enumeration.values.map { ".\(Names.enumCase($0.name))" }.joined(separator: ", ") + "]")
      code.line("}")
      code.line("")
      code.block("package init(rawValue: Int32)") { code in
        code.line("switch rawValue {")
        for value in enumeration.values { code.line("case \(value.number): self = .\(Names.enumCase(value.name))") }
        code.line("default: self = .unrecognized(rawValue)")
        code.line("}")
      }
      code.line("")
      code.block("package var rawValue: Int32") { code in
        code.line("switch self {")
        for value in enumeration.values { code.line("case .\(Names.enumCase(value.name)): \(value.number)") }
        code.line("case .unrecognized(let number): number")
        code.line("}")
      }
      code.line("")
      code.block("package var name: String") { code in
        code.line("switch self {")
        for value in enumeration.values { code.line("case .\(Names.enumCase(value.name)): \"\(value.name)\"") }
        code.line("case .unrecognized(let number): String(number)")
        code.line("}")
      }
    }
  }

  /// The table of all messages.
  mutating func declareTable(of messages: [Schema.Message]) {
    line("")
    line("/// All messages of the protocol, in its order, each before the ones inside it.")
    line("package let allMessages: [any CSIMessage.Type] = [")
    for message in messages { list(message) }
    line("]")
  }

  private mutating func list(_ message: Schema.Message) {
    line("  \(Names.type(message.path)).self,")
    for inner in message.messages { list(inner) }
  }

  /// The calls and the table of all calls.
  mutating func declare(_ services: [Schema.Service]) {
    line("")
    line("/// All calls of the protocol, by name.")
    block("package enum Methods") { code in
      for service in services {
        for method in service.methods {
          code.comment(method.comment, isAlpha: method.isAlpha)
          code.line("package static let \(Names.method(method.name)) = Method<\(method.request), \(method.response)>(")
          code.line("  path: \"/csi.v1.\(service.name)/\(method.name)\", service: \"\(service.name)\",")
          code.line("  name: \"\(method.name)\", isStreaming: \(method.isStreaming))")
        }
      }
    }
    line("")
    line("/// All calls of the protocol, in its order.")
    line("package let allMethods: [AnyMethod] = [")
    for service in services {
      for method in service.methods {
        line("  AnyMethod(Methods.\(Names.method(method.name)), isAlpha: \(method.isAlpha)),")
      }
    }
    line("]")
  }
}

/// A stored property of a message: a field, or all the fields of a oneof.
struct Property {
  var name: String
  var type: String
  var initial: String
  var comment: String
  var isAlpha: Bool
}

extension Schema.Message {
  var properties: [Property] {
    var seen: Set<String> = []
    return fields.compactMap { field in
      guard let oneof = field.oneof else {
        return Property(
          name: Names.property(field.name), type: field.swiftType, initial: field.initial, comment: field.comment,
          isAlpha: field.isAlpha)
      }
      guard seen.insert(oneof).inserted else { return nil }
      return Property(
        name: Names.property(oneof), type: Names.oneof(oneof) + "?", initial: "nil", comment: "At most one of these.",
        isAlpha: false)
    }
  }
}

extension Schema.Field {
  /// The Swift type; in a oneof a message is always there.
  var swiftType: String {
    let name =
      switch type {
      case .string: "String"
      case .bool: "Bool"
      case .int32: "Int32"
      case .int64: "Int64"
      case .optionalBool: "Bool?"
      case .optionalInt64: "Int64?"
      case .timestamp: "Timestamp?"
      case .map(_, let isSecret): isSecret ? "SecretMap" : "[String: String]"
      case .message(let path): Names.type(path) + (isRepeated || oneof != nil ? "" : "?")
      case .enumeration(let path): Names.type(path)
      }
    return isRepeated ? "[\(name)]" : name
  }

  var initial: String {
    if isRepeated { return "[]" }
    return switch type {
    case .string: "\"\""
    case .bool: "false"
    case .int32, .int64: "0"
    case .map: "[:]"
    case .optionalBool, .optionalInt64, .timestamp, .message: "nil"
    case .enumeration(let path): "\(Names.type(path))(rawValue: 0)"
    }
  }
}
