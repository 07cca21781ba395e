/// One entry of `classes`, checked.
package struct DeviceClassSettings: Hashable, Sendable {
  /// How the bytes of a volume lie in the group.
  package enum Layout: Hashable, Sendable {
    case thin(pool: String)
    case linear
    /// Over this many physical volumes.
    case striped(Int)
    /// With this many copies.
    case raid1(Int)
  }

  /// When the bytes of thick volumes are overwritten.
  package enum Wipe: String, Hashable, Sendable, CaseIterable {
    case delete, create, none
  }

  package var name: String
  package var volumeGroup: String
  /// The uuid that the group must have, or nil.
  package var volumeGroupUUID: String?
  package var layout: Layout
  /// Bytes promised for each byte of the pool.
  package var overprovision = 1.0
  /// Percent of the pool in use that makes it grow; nil: it never does.
  package var autoExtendThreshold: Int?
  /// Percent of its size that it grows by.
  package var autoExtendStep = 20
  package var wipe = Wipe.delete

  /// The class `default` of what the command line names.
  /// - Throws: `ConfigurationError` for names that LVM does not allow.
  package init(volumeGroup: String, thinPool: String) throws {
    func checked(_ text: String, _ flag: String) throws -> String {
      do { return try Parse.lvmName(text) } catch let error as ConfigurationError {
        throw ConfigurationError("\(error.message), not \"\(text)\"", source: flag)
      }
    }
    name = "default"
    self.volumeGroup = try checked(volumeGroup, "--volume-group")
    layout = .thin(pool: try checked(thinPool, "--thin-pool"))
  }

  /// The keys of the file.
  package static let settings = DeviceClassEntry.settings

  init(_ mapping: YAMLMapping) throws {
    var entry = DeviceClassEntry()
    try setFields(of: &entry, from: mapping.entries, settings: DeviceClassEntry.settings)
    do { try self.init(entry) } catch let error as ConfigurationError { throw error.located(line: mapping.line) }
  }

  private init(_ entry: DeviceClassEntry) throws {
    guard let name = entry.name else { throw ConfigurationError("a class needs a name") }
    func objection(_ reason: String) -> ConfigurationError { ConfigurationError("class \"\(name)\" \(reason)") }
    guard let volumeGroup = entry.volumeGroup else { throw objection("needs a volumeGroup") }
    self.name = name
    self.volumeGroup = volumeGroup
    volumeGroupUUID = entry.volumeGroupUUID
    do { layout = try entry.checkedLayout } catch let error as ConfigurationError { throw objection(error.message) }
    wipe = entry.wipe ?? wipe
    if case .thin = layout {
      overprovision = entry.overprovision ?? overprovision
      autoExtendThreshold = entry.autoExtendThreshold
      autoExtendStep = entry.autoExtendStep ?? autoExtendStep
    } else if entry.overprovision ?? 1 != 1 || entry.autoExtendThreshold != nil {
      throw objection("has no pool: overprovision and autoExtendThreshold are for thin volumes")
    }
    guard entry.autoExtendStep == nil || entry.autoExtendThreshold != nil else {
      throw objection("has an autoExtendStep without an autoExtendThreshold")
    }
  }
}

/// The keys of a class as the file has them.
package struct DeviceClassEntry: Hashable, Sendable {
  enum Layout: String, Hashable, Sendable, CaseIterable { case thin, linear, striped, raid1 }

  fileprivate var name: String?
  fileprivate var volumeGroup: String?
  fileprivate var volumeGroupUUID: String?
  fileprivate var pool: String?
  fileprivate var layout: Layout?
  fileprivate var stripes: Int?
  fileprivate var copies: Int?
  fileprivate var overprovision: Double?
  fileprivate var autoExtendThreshold: Int?
  fileprivate var autoExtendStep: Int?
  fileprivate var wipe: DeviceClassSettings.Wipe?

  fileprivate static let settings: [Setting<DeviceClassEntry>] = [
    .value("name", \.name, "what a storage class calls it", parse: Parse.className),
    .value("volumeGroup", \.volumeGroup, "the volume group", parse: Parse.lvmName),
    .value("volumeGroupUUID", \.volumeGroupUUID, "the uuid that the group must have", parse: Parse.lvmUUID),
    .value("pool", \.pool, "the thin pool", parse: Parse.lvmName),
    .value("layout", \.layout, "how volumes lie in the group", parse: Parse.choice(Layout.self)),
    .value("stripes", \.stripes, "physical volumes of a striped volume", parse: Parse.integer(2...128)),
    .value("copies", \.copies, "copies of a mirrored volume", parse: Parse.integer(2...10)),
    .value("overprovision", \.overprovision, "bytes promised for each of the pool", parse: Parse.ratio(1...1000)),
    .value(
      "autoExtendThreshold", \.autoExtendThreshold, "percent in use that makes the pool grow",
      parse: Parse.integer(50...99)),
    .value("autoExtendStep", \.autoExtendStep, "percent that the pool grows by", parse: Parse.integer(1...100)),
    .value("wipe", \.wipe, "when thick volumes are overwritten", parse: Parse.choice(DeviceClassSettings.Wipe.self)),
  ]

  /// What `layout`, `pool`, `stripes` and `copies` say together.
  fileprivate var checkedLayout: DeviceClassSettings.Layout {
    get throws {
      guard let layout = layout ?? (pool == nil ? nil : .thin) else {
        throw ConfigurationError("needs a pool, or a layout: linear, striped or raid1")
      }
      guard pool == nil || layout == .thin else {
        throw ConfigurationError("has a pool: its layout is thin, not \(layout.rawValue)")
      }
      guard stripes == nil || layout == .striped else { throw ConfigurationError("has stripes but is not striped") }
      guard copies == nil || layout == .raid1 else { throw ConfigurationError("has copies but is not raid1") }
      switch layout {
      case .thin:
        guard let pool else { throw ConfigurationError("is thin and needs a pool") }
        return .thin(pool: pool)
      case .linear: return .linear
      case .striped: return .striped(stripes ?? 2)
      case .raid1: return .raid1(copies ?? 2)
      }
    }
  }
}
