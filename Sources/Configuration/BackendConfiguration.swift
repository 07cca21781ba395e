import Storage

/// One entry of `backends`.
package struct BackendConfiguration: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case file(FileBackendConfiguration)
  }

  package var name: BackendName
  package var kind: Kind

  package init(name: BackendName, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  /// The types that `type` may name.
  package static let types = ["file"]

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

/// The keys of a backend of type `file`.
package struct FileBackendConfiguration: Hashable, Sendable {
  /// Where volumes and snapshots lie; made when it is missing.
  package var directory: String
  /// How many bytes are promised for each free byte of the directory's file system.
  package var overprovision = 1.0
  /// The size of volumes whose CO asks for none.
  package var defaultSize = ByteCount.gib(1)
  package var minimumSize = ByteCount.mib(1)
  package var maximumSize = ByteCount.tib(16)
  /// The file system of volumes whose CO names none.
  package var defaultFilesystem = FilesystemType.ext4
  /// Whether loop devices pass the host's page cache where they can.
  package var directIO = true

  /// - Parameter directory: an absolute path.
  /// - Throws: `ConfigurationError` when it is not.
  package init(directory: String) throws {
    do { self.directory = try Parse.absolutePath(directory) } catch let error as ConfigurationError {
      throw ConfigurationError("directory \(error.message), not \"\(directory)\"")
    }
  }

  /// The keys of the file, besides `name` and `type`.
  package static let settings: [Setting<FileBackendConfiguration>] = [
    .value("directory", \.directory, "where volumes lie", parse: Parse.absolutePath),
    .value("overprovision", \.overprovision, "bytes promised for each free one", parse: Parse.ratio(0.1...1000)),
    .value("defaultSize", \.defaultSize, "the size when none is asked for", parse: Parse.size),
    .value("minimumSize", \.minimumSize, "the smallest volume", parse: Parse.size),
    .value("maximumSize", \.maximumSize, "the largest volume", parse: Parse.size),
    .value(
      "defaultFilesystem", \.defaultFilesystem, "the file system when none is asked for",
      parse: Parse.choice(FilesystemType.self)),
    .value("directIO", \.directIO, "whether loop devices use direct I/O", parse: Parse.bool),
  ]

  init(_ entries: [YAMLNode.Entry], name: BackendName, line: Int) throws {
    directory = ""
    try setFields(of: &self, from: entries, settings: Self.settings, elsewhere: ["name", "type"])
    guard !directory.isEmpty else { throw ConfigurationError("backend \"\(name)\" needs a directory", line: line) }
    guard minimumSize <= defaultSize, defaultSize <= maximumSize else {
      throw ConfigurationError(
        "backend \"\(name)\" must have minimumSize <= defaultSize <= maximumSize", line: line)
    }
  }
}
