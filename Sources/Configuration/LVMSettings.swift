import Storage

/// The keys of a backend of type `lvm`.
package struct LVMSettings: Hashable, Sendable {
  /// What volumes can be made of; the first is the default. Not empty, names unique.
  package var classes: [DeviceClassSettings] = []
  /// The size of volumes whose CO asks for none.
  package var defaultSize = ByteCount.gib(1)
  package var minimumSize = ByteCount.mib(4)
  package var maximumSize = ByteCount.tib(16)
  /// The file system of volumes whose CO names none.
  package var defaultFilesystem = FilesystemType.ext4
  /// For what must not outlive a boot: the LVM worker's settings and lock.
  package var runtimeDirectory = "/run/stowage"
  /// LVM's lock directory, which must be the host's own; nil: LVM's default.
  package var lockDirectory: String?

  /// One class named `default` of thin volumes.
  /// - Throws: `ConfigurationError` for names that LVM does not allow.
  package init(volumeGroup: String, thinPool: String) throws {
    classes = [try DeviceClassSettings(volumeGroup: volumeGroup, thinPool: thinPool)]
  }

  /// The keys of the file, besides `name` and `type`.
  package static let settings: [Setting<LVMSettings>] = [
    .mappings("classes", \.classes, "what volumes can be made of", read: DeviceClassSettings.init),
    .value("defaultSize", \.defaultSize, "the size when none is asked for", parse: Parse.size),
    .value("minimumSize", \.minimumSize, "the smallest volume", parse: Parse.size),
    .value("maximumSize", \.maximumSize, "the largest volume", parse: Parse.size),
    .value(
      "defaultFilesystem", \.defaultFilesystem, "the file system when none is asked for",
      parse: Parse.choice(FilesystemType.self)),
    .value("runtimeDirectory", \.runtimeDirectory, "what need not outlive a boot", parse: Parse.absolutePath),
    .value("lockDirectory", \.lockDirectory, "LVM's lock directory", parse: Parse.absolutePath),
  ]

  init(_ entries: [YAMLNode.Entry], name: BackendName, line: Int) throws {
    try setFields(of: &self, from: entries, settings: Self.settings, elsewhere: ["name", "type"])
    guard !classes.isEmpty else { throw ConfigurationError("backend \"\(name)\" needs classes", line: line) }
    var names: Set<String> = []
    for one in classes where !names.insert(one.name).inserted {
      throw ConfigurationError("backend \"\(name)\" has two classes named \"\(one.name)\"", line: line)
    }
    guard minimumSize <= defaultSize, defaultSize <= maximumSize else {
      throw ConfigurationError(
        "backend \"\(name)\" must have minimumSize <= defaultSize <= maximumSize", line: line)
    }
  }
}
