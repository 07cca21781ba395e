/// How the names of the protocol become names of Swift and of C.
enum Names {
  /// `source_volume_ids` becomes `sourceVolumeIDs`.
  static func property(_ name: String) -> String {
    let words = name.split(separator: "_")
    return words.enumerated().map { index, word in
      if index == 0 { return String(word) }
      if index == words.count - 1 && (word == "id" || word == "ids") { return "ID" + word.dropFirst(2) }
      return capitalized(word)
    }.joined()
  }

  /// `access_type` becomes `AccessType`; see `type` for `Type`.
  static func oneof(_ name: String) -> String { type(name.split(separator: "_").map(capitalized).joined()) }

  /// `SINGLE_NODE_WRITER` becomes `singleNodeWriter`.
  static func enumCase(_ name: String) -> String { property(name.lowercased()) }

  /// Name of a type. Swift keeps `Type` for itself.
  static func type(_ name: String) -> String { name == "Type" ? "Kind" : name }

  static func type(_ path: [String]) -> String { path.map(type).joined(separator: ".") }

  /// `GetPluginInfo` becomes `getPluginInfo`.
  static func method(_ name: String) -> String { name.prefix(1).lowercased() + name.dropFirst() }

  /// `volume_id` becomes `volumeId`, the key of the JSON mapping.
  static func json(_ name: String) -> String {
    let words = name.split(separator: "_")
    return words.prefix(1).joined() + words.dropFirst().map(capitalized).joined()
  }

  /// Name of the struct that protoc-c made.
  static func cStruct(_ path: [String]) -> String { (["Csi", "V1"] + path).joined(separator: "__") }

  /// Name of the function of protoc-c that sets the struct to defaults.
  static func cInitializer(_ path: [String]) -> String {
    (["csi", "v1"] + path.map(snake)).joined(separator: "__") + "__init"
  }

  private static func capitalized(_ word: Substring) -> String { word.prefix(1).uppercased() + word.dropFirst() }

  /// A capital begins a word unless it follows another capital.
  private static func snake(_ name: String) -> String {
    var result = ""
    var afterCapital = true
    for character in name {
      if character.isUppercase && !afterCapital { result += "_" }
      afterCapital = character.isUppercase
      result += character.lowercased()
    }
    return result
  }
}
