import CSI
import Host

/// When orphans were first seen, kept from one run to the next. What is referenced again, or gone, is forgotten.
struct OrphanFile {
  let path: String
  let driver: String

  /// Nothing when there is no such file.
  /// - Throws: `ReferencesError` for a file that this did not write, or wrote for another driver; `SystemCallError`.
  func read() throws -> [HeldObject.Key: Int64] {
    guard HostPath.exists(path) else { return [:] }
    let foreign = ReferencesError("\(path) is not a state file of this command")
    let bytes = try FileContents.read(path)
    guard let text = String(validating: bytes, as: UTF8.self), let json = try? JSON(parsing: text),
      json["version"] == 1, case .array(let entries)? = json["unreferenced"]
    else { throw foreign }
    guard json["driver"] == .string(driver) else { throw ReferencesError("\(path) was written for another driver") }
    var known: [HeldObject.Key: Int64] = [:]
    for entry in entries {
      guard case .string(let kind)? = entry["kind"], let kind = HeldObject.Kind(rawValue: kind),
        case .string(let id)? = entry["id"], case .integer(let seen)? = entry["first_seen"], seen >= 0
      else { throw foreign }
      known[.init(kind: kind, id: id)] = seen
    }
    return known
  }

  /// Whole or not at all.
  func write(_ orphans: [Orphan]) throws {
    let entries = orphans.map { orphan in
      JSON.object([
        .init("kind", .string(orphan.object.kind.rawValue)), .init("id", .string(orphan.object.id)),
        .init("first_seen", .integer(orphan.firstSeen)),
      ])
    }
    let json = JSON.object([
      .init("version", 1), .init("driver", .string(driver)), .init("unreferenced", .array(entries)),
    ])
    try DurableFile.write(Array((json.prettyText + "\n").utf8), to: path)
  }
}
