import Storage
import Synchronization

/// Where things lie below the backend's directory.
///
/// ```
/// lock                                    held by the one process that serves this directory
/// volumes/<id>/{volume.json,data}
/// snapshots/<id>/{snapshot.json,data}
/// groups/<id>/{group.json,<snapshot id>/{snapshot.json,data}}
/// work/                                   half-made things under names of their own; swept at the start
/// trash/                                  deleted things not yet unlinked; swept at the start
/// ```
/// Only ids that this backend made itself are ever made into a path.
struct Layout: Sendable {
  let root: String
  private let serial = Serial()

  private final class Serial: Sendable { let next = Atomic<Int>(0) }

  init(root: String) { self.root = root }

  var lock: String { root + "/lock" }
  var volumes: String { root + "/volumes" }
  var snapshots: String { root + "/snapshots" }
  var groups: String { root + "/groups" }
  var work: String { root + "/work" }
  var trash: String { root + "/trash" }
  var directories: [String] { [volumes, snapshots, groups, work, trash] }

  func directory(ofVolume id: NativeID) -> String { "\(volumes)/\(id.rawValue)" }
  func directory(ofGroup id: NativeID) -> String { "\(groups)/\(id.rawValue)" }
  func directory(of snapshot: SnapshotRecord) -> String {
    snapshot.group.map { "\(directory(ofGroup: $0))/\(snapshot.id.rawValue)" } ?? "\(snapshots)/\(snapshot.id.rawValue)"
  }

  func data(ofVolume id: NativeID) -> String { directory(ofVolume: id) + "/data" }
  func data(of snapshot: SnapshotRecord) -> String { directory(of: snapshot) + "/data" }

  /// A path in `directory` that nothing else in this process gets.
  func unique(in directory: String, for id: NativeID) -> String {
    "\(directory)/\(id.rawValue).\(serial.next.add(1, ordering: .relaxed).newValue)"
  }
}
