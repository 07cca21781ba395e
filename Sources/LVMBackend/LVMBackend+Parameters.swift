import Host
import Storage

extension LVMBackend {
  /// Keys: `deviceClass` = the name of a configured class; those of `BlockParameters`.
  ///
  /// Other drivers' words for the same are taken as well: `topolvm.io/device-class` for `deviceClass`; `volgroup`
  /// (OpenEBS), `thinProvision` = `yes` or `no` and `type` = `linear`, `striped` or `mirror` narrow the classes down, to
  /// one. Checked and left out: `shared` = `yes` (several pods of a node may use a volume anyway).
  package func canonical(parameters: [String: String]) throws -> [String: String] {
    var canonical: [String: String] = [:]
    var choice = ClassChoice(configuration.classes)
    for (key, value) in parameters {
      switch key {
      case "deviceClass", "topolvm.io/device-class", "volgroup", "thinProvision", "type":
        try choice.narrow(key, value)
      case "shared":
        guard value == "yes" else { throw StorageError.invalid("shared must be yes: use the access modes instead") }
      case _ where try BlockParameters.read(key, value, into: &canonical): break
      default:
        throw StorageError.invalid(
          "unknown parameter '\(key.prefix(64))'; known are deviceClass, encryption and mkfsOptions")
      }
    }
    let chosen = try choice.one()
    if chosen.name != configuration.classes[0].name { canonical["deviceClass"] = chosen.name }
    guard TagText.escaped(canonical).utf8.count < TagText.limit - 16 else {
      throw StorageError.invalid("the parameters are too long to be kept in an LVM tag")
    }
    return canonical
  }

  /// The class that canonical parameters name.
  /// - Throws: `.invalid` when it is configured no more.
  func deviceClass(for parameters: [String: String]) throws -> DeviceClass {
    guard let name = parameters["deviceClass"] else { return configuration.classes[0] }
    guard let found = configuration.classes.first(where: { $0.name == name }) else {
      throw StorageError.invalid("there is no device class '\(name.prefix(64))'")
    }
    return found
  }

  /// The class that a volume or snapshot was made in; when it is configured no more, one that its volume could be of.
  func deviceClass(named name: String, of volume: LogicalVolume, in group: String) -> DeviceClass {
    if let found = configuration.classes.first(where: { $0.name == name && $0.volumeGroup == group }) { return found }
    let layout: DeviceClass.Layout
    switch (volume.layout, volume.poolName) {
    case (.thin, let pool?): layout = .thin(pool: pool)
    case (.raid, _): layout = .raid1(2)
    case (.striped, _): layout = .striped(1)
    default: layout = .linear
    }
    if let alike = configuration.classes.first(where: { $0.volumeGroup == group && $0.layout == layout }) {
      return alike
    }
    // Wiping too much is safe.
    return DeviceClass(name: name, volumeGroup: group, layout: layout, wipe: .delete)
  }
}

/// The device classes that a storage class' parameters leave to choose from.
private struct ClassChoice {
  private let all: [DeviceClass]
  private var left: [DeviceClass]
  private var isNarrowed = false

  init(_ classes: [DeviceClass]) {
    all = classes
    left = classes
  }

  mutating func narrow(_ key: String, _ value: String) throws {
    isNarrowed = true
    switch key {
    case "deviceClass", "topolvm.io/device-class":
      // TopoLVM's word for the default class is the empty string.
      let name = value.isEmpty ? all[0].name : value
      guard all.contains(where: { $0.name == name }) else {
        throw StorageError.invalid(
          "there is no device class '\(value.prefix(64))'; known are \(all.map(\.name).joined(separator: ", "))")
      }
      left.removeAll { $0.name != name }
    case "volgroup":
      guard all.contains(where: { $0.volumeGroup == value }) else {
        throw StorageError.invalid("no device class is in volume group '\(value.prefix(64))'")
      }
      left.removeAll { $0.volumeGroup != value }
    case "thinProvision":
      guard ["yes", "no"].contains(value) else { throw StorageError.invalid("thinProvision must be yes or no") }
      left.removeAll { $0.layout.isThin != (value == "yes") }
    default:
      guard ["linear", "striped", "mirror"].contains(value) else {
        throw StorageError.invalid("type must be linear, striped or mirror")
      }
      left.removeAll { $0.layout.word != value }
    }
  }

  func one() throws -> DeviceClass {
    guard isNarrowed else { return all[0] }
    guard let first = left.first else {
      throw StorageError.invalid("no device class is all that the parameters ask for")
    }
    guard left.count == 1 else {
      throw StorageError.invalid(
        "the parameters fit several device classes, name one: deviceClass = "
          + left.map(\.name).joined(separator: ", "))
    }
    return first
  }
}

extension DeviceClass.Layout {
  /// As csi-driver-lvm calls it.
  fileprivate var word: String {
    switch self {
    case .thin: "thin"
    case .linear: "linear"
    case .striped: "striped"
    case .raid1: "mirror"
    }
  }
}
