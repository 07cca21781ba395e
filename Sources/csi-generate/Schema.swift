/// What the generator needs to know of the protocol, free of protobuf's own words.
struct Schema {
  var services: [Service]
  var messages: [Message]
  var enums: [Enumeration]

  struct Service {
    var name: String
    var comment: String
    var isAlpha: Bool
    var methods: [Method]
  }

  struct Method {
    var name: String
    var comment: String
    /// Names of the messages inside the package.
    var request: String
    var response: String
    var isStreaming: Bool
    var isAlpha: Bool
  }

  struct Message {
    /// Name and the names of the messages around it, outermost first.
    var path: [String]
    var comment: String
    var isAlpha: Bool
    var fields: [Field]
    var oneofs: [String]
    var messages: [Message]
    var enums: [Enumeration]
  }

  struct Field {
    var name: String
    var comment: String
    var number: Int32
    var type: FieldType
    var isRepeated: Bool
    /// Name of the oneof that it belongs to.
    var oneof: String?
    var isAlpha: Bool
  }

  enum FieldType: Equatable {
    case string, bool, int32, int64
    /// `google.protobuf.BoolValue` and `Int64Value`: a scalar that can be absent.
    case optionalBool, optionalInt64
    case timestamp
    /// map<string, string>; the name is that of the entry message.
    case map(entry: String, isSecret: Bool)
    /// Path of the type inside the package.
    case message([String])
    case enumeration([String])
  }

  struct Enumeration {
    var path: [String]
    var comment: String
    var isAlpha: Bool
    var values: [Value]
  }

  struct Value {
    var name: String
    var comment: String
    var number: Int32
    var isAlpha: Bool
  }
}
