import Storage

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
