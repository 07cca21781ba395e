import Storage

/// One place on this node where a volume is shown, as far as the kernel can tell.
struct Publication: Hashable, Sendable {
  var target: String
  var type: AccessType
  var isReadOnly: Bool
  /// The file system's type; nil for block volumes and for requests that do not name one.
  var filesystem: String?

  /// Whether a request for `wanted` finds what it asks for in this publication.
  func satisfies(_ wanted: Publication) -> Bool {
    type == wanted.type && isReadOnly == wanted.isReadOnly
      && (wanted.filesystem == nil || filesystem == nil || filesystem == wanted.filesystem)
  }
}

/// What NodePublishVolume has to do when the volume may be published on this node already (CSI spec,
/// NodePublishVolume, the table of second publishes).
enum PublishDecision: Hashable, Sendable {
  case publish
  case alreadyPublished

  /// - Throws: `.incompatible` when the target shows the volume otherwise, `.precondition` when the mode forbids a
  ///   second target.
  static func decide(_ wanted: Publication, mode: AccessMode, existing: [Publication]) throws -> PublishDecision {
    if let same = existing.first(where: { $0.target == wanted.target }) {
      guard same.satisfies(wanted) else {
        throw StorageError.incompatible("the volume is published at target_path with another capability")
      }
      return .alreadyPublished
    }
    if !mode.allowsSeveralTargets, let other = existing.first {
      throw StorageError.precondition(
        "the volume is published at \(other.target) already, and \(mode.rawValue) allows one target")
    }
    return .publish
  }
}
