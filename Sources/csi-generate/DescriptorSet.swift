import CCSI

/// Number of the option that marks credentials, an extension of FieldOptions.
private let secretOption: UInt32 = 1059
/// Number of the option that marks what the protocol may still change, an extension of all options.
private let alphaOption: UInt32 = 1060

private typealias CString = UnsafeMutablePointer<CChar>
private typealias CMessage = Google__Protobuf__DescriptorProto
private typealias CField = Google__Protobuf__FieldDescriptorProto
private typealias CEnum = Google__Protobuf__EnumDescriptorProto

extension Schema {
  /// Reads the file with this package out of a serialized FileDescriptorSet.
  init(descriptorSet bytes: [UInt8], package: String) throws(GenerateError) {
    guard let set = google__protobuf__file_descriptor_set__unpack(nil, bytes.count, bytes) else {
      throw GenerateError("not a descriptor set")
    }
    defer { google__protobuf__file_descriptor_set__free_unpacked(set, nil) }
    let files = UnsafeBufferPointer(start: set.pointee.file, count: set.pointee.n_file).compactMap { $0 }
    guard let file = files.first(where: { text($0.pointee.package) == package }) else {
      throw GenerateError("no file of package \(package)")
    }
    self = try Reader(package: package, comments: comments(of: file)).schema(file)
  }
}

private struct Reader {
  let package: String
  /// Comment of each element, by its path in the descriptor (see SourceCodeInfo in descriptor.proto).
  let comments: [[Int32]: String]

  func schema(_ file: UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>) throws(GenerateError) -> Schema {
    let c = file.pointee
    var schema = Schema(services: [], messages: [], enums: [])
    for (index, service) in list(c.service, c.n_service).enumerated() {
      schema.services.append(try self.service(service, at: [6, Int32(index)]))
    }
    for (index, message) in list(c.message_type, c.n_message_type).enumerated() {
      schema.messages.append(try self.message(message, inside: [], at: [4, Int32(index)]))
    }
    for (index, enumeration) in list(c.enum_type, c.n_enum_type).enumerated() {
      schema.enums.append(self.enumeration(enumeration, inside: [], at: [5, Int32(index)]))
    }
    return schema
  }

  private func service(
    _ pointer: UnsafeMutablePointer<Google__Protobuf__ServiceDescriptorProto>, at place: [Int32]
  ) throws(GenerateError) -> Schema.Service {
    let c = pointer.pointee
    let isAlpha = hasOption(alphaOption, c.options)
    var methods: [Schema.Method] = []
    for (index, pointer) in list(c.method, c.n_method).enumerated() {
      let method = pointer.pointee
      guard method.client_streaming == 0 else { throw GenerateError("client streaming is not supported") }
      methods.append(
        Schema.Method(
          name: text(method.name), comment: comments[place + [2, Int32(index)]] ?? "",
          request: try path(method.input_type).joined(separator: "."),
          response: try path(method.output_type).joined(separator: "."), isStreaming: method.server_streaming != 0,
          isAlpha: isAlpha || hasOption(alphaOption, method.options)))
    }
    return Schema.Service(name: text(c.name), comment: comments[place] ?? "", isAlpha: isAlpha, methods: methods)
  }

  private func message(
    _ pointer: UnsafeMutablePointer<CMessage>, inside outer: [String], at place: [Int32]
  ) throws(GenerateError) -> Schema.Message {
    let c = pointer.pointee
    let nested = list(c.nested_type, c.n_nested_type)
    let entries = Set(nested.filter(isMapEntry).map { text($0.pointee.name) })
    let path = outer + [text(c.name)]
    var message = Schema.Message(
      path: path, comment: comments[place] ?? "", isAlpha: hasOption(alphaOption, c.options), fields: [],
      oneofs: list(c.oneof_decl, c.n_oneof_decl).map { text($0.pointee.name) }, messages: [], enums: [])
    for (index, field) in list(c.field, c.n_field).enumerated() {
      let comment = comments[place + [2, Int32(index)]] ?? ""
      message.fields.append(try self.field(field, of: message, entries: entries, comment: comment))
    }
    for (index, inner) in nested.enumerated() where !isMapEntry(inner) {
      message.messages.append(try self.message(inner, inside: path, at: place + [3, Int32(index)]))
    }
    for (index, inner) in list(c.enum_type, c.n_enum_type).enumerated() {
      message.enums.append(enumeration(inner, inside: path, at: place + [4, Int32(index)]))
    }
    return message
  }

  private func field(
    _ pointer: UnsafeMutablePointer<CField>, of message: Schema.Message, entries: Set<String>, comment: String
  ) throws(GenerateError) -> Schema.Field {
    let c = pointer.pointee
    let isSecret = hasOption(secretOption, c.options)
    var isRepeated = c.label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED
    let type = try fieldType(c, of: message, entries: entries, isSecret: isSecret)
    if case .map = type {
      isRepeated = false
    } else if isSecret {
      throw GenerateError("\(message.path).\(text(c.name)): only a map can be a secret")
    }
    return Schema.Field(
      name: text(c.name), comment: comment, number: c.number, type: type, isRepeated: isRepeated,
      oneof: c.has_oneof_index != 0 ? message.oneofs[Int(c.oneof_index)] : nil,
      isAlpha: hasOption(alphaOption, c.options))
  }

  private func fieldType(
    _ c: CField, of message: Schema.Message, entries: Set<String>, isSecret: Bool
  ) throws(GenerateError) -> Schema.FieldType {
    switch c.type {
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING: return .string
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BOOL: return .bool
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32: return .int32
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT64: return .int64
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM: return .enumeration(try path(c.type_name))
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE: break
    default: throw GenerateError("\(message.path).\(text(c.name)): type is not supported")
    }
    switch text(c.type_name) {
    case ".google.protobuf.BoolValue": return .optionalBool
    case ".google.protobuf.Int64Value": return .optionalInt64
    case ".google.protobuf.Timestamp": return .timestamp
    default: break
    }
    let path = try path(c.type_name)
    if let last = path.last, path.dropLast() == message.path[...], entries.contains(last) {
      return .map(entry: last, isSecret: isSecret)
    }
    return .message(path)
  }

  private func enumeration(
    _ pointer: UnsafeMutablePointer<CEnum>, inside outer: [String], at place: [Int32]
  ) -> Schema.Enumeration {
    let c = pointer.pointee
    let values = list(c.value, c.n_value).enumerated().map { index, value in
      Schema.Value(
        name: text(value.pointee.name), comment: comments[place + [2, Int32(index)]] ?? "",
        number: value.pointee.number, isAlpha: hasOption(alphaOption, value.pointee.options))
    }
    return Schema.Enumeration(
      path: outer + [text(c.name)], comment: comments[place] ?? "", isAlpha: hasOption(alphaOption, c.options),
      values: values)
  }

  /// The parts of a name such as `.csi.v1.VolumeCapability.AccessMode` inside the package.
  private func path(_ name: CString?) throws(GenerateError) -> [String] {
    let prefix = "." + package + "."
    guard text(name).hasPrefix(prefix) else { throw GenerateError("type \(text(name)) is not supported") }
    return text(name).dropFirst(prefix.count).split(separator: ".").map(String.init)
  }
}

private func text(_ c: CString?) -> String { c.map { String(cString: $0) } ?? "" }

private func list<T>(_ start: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?, _ count: Int)
  -> [UnsafeMutablePointer<T>]
{ UnsafeBufferPointer(start: start, count: count).compactMap { $0 } }

private func isMapEntry(_ message: UnsafeMutablePointer<CMessage>) -> Bool {
  message.pointee.options.map { $0.pointee.map_entry != 0 } ?? false
}

/// Whether an extension of an options message is true. protobuf-c knows no extensions and keeps them as unknown fields.
private func hasOption<Options>(_ number: UInt32, _ options: UnsafeMutablePointer<Options>?) -> Bool {
  guard let options else { return false }
  let base = UnsafeRawPointer(options).assumingMemoryBound(to: ProtobufCMessage.self).pointee
  return UnsafeBufferPointer(start: base.unknown_fields, count: Int(base.n_unknown_fields)).contains {
    $0.tag == number && $0.len == 1 && $0.data[0] == 1
  }
}

/// The comment before each element, on one line per line, by path.
private func comments(of file: UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>) -> [[Int32]: String] {
  guard let info = file.pointee.source_code_info else { return [:] }
  var comments: [[Int32]: String] = [:]
  for location in list(info.pointee.location, info.pointee.n_location) {
    guard let comment = location.pointee.leading_comments else { continue }
    let path = Array(UnsafeBufferPointer(start: location.pointee.path, count: location.pointee.n_path))
    let lines = text(comment).split(separator: "\n").map { $0.drop { $0 == " " } }
    comments[path] = lines.joined(separator: "\n")
  }
  return comments
}
