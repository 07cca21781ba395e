import Storage

/// One entry of `backends`.
package struct BackendConfiguration: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case file(FileBackendConfiguration)
    case lvm(LVMSettings)
  }

  package var name: BackendName
  package var kind: Kind

  package init(name: BackendName, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  /// The types that `type` may name.
  package static let types = ["file", "lvm"]

  /// Reads the list.
  /// - Throws: `ConfigurationError` with the line.
  static func list(_ entry: YAMLNode.Entry) throws -> [BackendConfiguration] {
    guard case .sequence(let items) = entry.value.content, !items.isEmpty else {
      throw ConfigurationError("backends must be a list with at least one backend", line: entry.line)
    }
    var names: Set<BackendName> = []
    return try items.map { item in
      let backend = try BackendConfiguration(item)
      guard names.insert(backend.name).inserted else {
        throw ConfigurationError("two backends are named \"\(backend.name)\"", line: item.line)
      }
      return backend
    }
  }

  private init(_ node: YAMLNode) throws {
    guard case .mapping(let entries) = node.content else {
      throw ConfigurationError("a backend must be a mapping with name and type", line: node.line)
    }
    name = try Self.name(entries, line: node.line)
    guard let type = entries.first(where: { $0.key == "type" }), case .scalar(let text, _) = type.value.content else {
      throw ConfigurationError(
        "backend \"\(name)\" needs a type: \(Self.types.joined(separator: ", "))", line: node.line)
    }
    switch text {
    case "file":
      kind = .file(try FileBackendConfiguration(entries, name: name, line: node.line))
    case "lvm":
      kind = .lvm(try LVMSettings(entries, name: name, line: node.line))
    default:
      throw ConfigurationError(
        "there is no backend type \"\(text)\"; known are \(Self.types.joined(separator: ", "))", line: type.line)
    }
  }

  private static func name(_ entries: [YAMLNode.Entry], line: Int) throws -> BackendName {
    guard let entry = entries.first(where: { $0.key == "name" }), case .scalar(let text, _) = entry.value.content else {
      throw ConfigurationError("a backend needs a name", line: line)
    }
    do { return try Parse.backendName(text) } catch let error as ConfigurationError {
      throw ConfigurationError("name \(error.message), not \"\(text)\"", line: entry.line)
    }
  }
}
