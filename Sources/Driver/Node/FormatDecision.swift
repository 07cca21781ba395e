import Host
import Storage

/// What staging has to do with a device before it may be mounted. Chosen so that no order of crashes and repeats can
/// lead to a second mkfs over data: a device is formatted only while its volume was never formatted and nothing is
/// found on it, or while the volume's record says that a mkfs was begun and the volume never mounted.
enum FormatDecision: Hashable, Sendable {
  /// Record that formatting begins, make the file system, record that it is made, mount.
  case make(FilesystemType)
  /// A file system of somebody else's making on a volume that has no record: record it as formatted, mount.
  case adopt(FilesystemType)
  /// A copy of another volume: give the file system an identity of its own, record it as formatted, mount.
  case renew(FilesystemType)
  case mount(FilesystemType)

  /// - Parameters:
  ///   - wanted: the file system that the request names, nil when any will do.
  ///   - fallback: what to make when nothing is named.
  /// - Throws: `.precondition` when the volume cannot be used this way without risk.
  static func decide(
    state: FormatState, content: DeviceContent, wanted: FilesystemType?, fallback: FilesystemType, readOnly: Bool
  ) throws -> FormatDecision {
    switch (state, content) {
    case (_, .unknown(let why)):
      throw StorageError.precondition("cannot tell what the volume holds, so it is left alone: \(why)")
    case (.encrypting, _):
      throw StorageError.precondition("the making of the volume's encryption was interrupted")
    // What a mkfs leaves that was killed may look like nothing known.
    case (.formatting(let begun), .holds(let type))
    where type != begun.rawValue && type != wanted?.rawValue && type != DeviceContent.unknownData:
      throw StorageError.precondition("the volume's mkfs.\(begun.rawValue) was interrupted, yet it holds \(type)")
    case (.formatting(let begun), _):
      return try make(wanted ?? begun, readOnly: readOnly)
    case (.unformatted, .empty), (.unrecorded, .empty):
      return try make(wanted ?? fallback, readOnly: readOnly)
    case (.unformatted, .holds(let type)):
      return .adopt(try usable(type, wanted: wanted))
    case (.unrecorded, .holds(let type)), (.formatted, .holds(let type)):
      return .mount(try usable(type, wanted: wanted))
    case (.copied(let copied), .holds(let type)) where type == copied.rawValue:
      return .renew(try usable(type, wanted: wanted))
    case (.copied, .holds(let type)):
      return .adopt(try usable(type, wanted: wanted))
    case (.formatted, .empty), (.copied, .empty):
      throw StorageError.precondition(
        "the volume was in use before, yet no file system is found on it; it is not formatted again")
    }
  }

  private static func make(_ type: FilesystemType, readOnly: Bool) throws -> FormatDecision {
    guard !readOnly else { throw StorageError.precondition("the volume is empty and asked for read-only") }
    return .make(type)
  }

  private static func usable(_ type: String, wanted: FilesystemType?) throws -> FilesystemType {
    guard let found = FilesystemType(rawValue: type) else {
      throw StorageError.precondition("the volume holds \(type), which this driver does not mount")
    }
    guard wanted == nil || wanted == found else {
      throw StorageError.precondition("the volume holds \(type), not \(wanted?.rawValue ?? "")")
    }
    return found
  }
}
