import Glibc
import Synchronization

/// Named places at which a test may kill the process, to prove that a repeat of the call heals whatever is left.
///
/// Armed by `STOWAGE_CRASH_AT=<name>[:<n>],...` in the environment: the process sends itself SIGKILL when it comes to one
/// of those places for the n-th time (first when left out). Unset, `reached` costs one load and one compare.
/// `STOWAGE_CRASH_JOURNAL` names a file in which deaths are noted, a name a line; where a place is noted, no process dies
/// again: children inherit the environment, and their successors would die for ever.
package enum CrashPoint: String, CaseIterable, Sendable {
  case createBegun = "create.begun"
  case createBuilt = "create.built"
  case createBeforeRename = "create.before-rename"
  case createAfterRename = "create.after-rename"
  case cloneBegun = "clone.begun"
  case cloneCopied = "clone.copied"
  case deleteBeforeRename = "delete.before-rename"
  case deleteAfterRename = "delete.after-rename"
  case deleteHalfUnlinked = "delete.half-unlinked"
  case expandBegun = "expand.begun"
  case expandGrown = "expand.grown"
  case expandRecorded = "expand.recorded"
  case snapshotBegun = "snapshot.begun"
  case snapshotFrozen = "snapshot.frozen"
  case snapshotCopied = "snapshot.copied"
  case snapshotBeforeRename = "snapshot.before-rename"
  case snapshotAfterRename = "snapshot.after-rename"
  case groupBegun = "group.begun"
  case groupFrozen = "group.frozen"
  case groupMemberCut = "group.member-cut"
  case groupBeforeRename = "group.before-rename"
  case groupAfterRename = "group.after-rename"
  case modifyRecorded = "modify.recorded"
  case lvmGroupMemberMade = "lvm.group-member-made"
  case lvmCutSuspended = "lvm.cut-suspended"
  case lvmCutHalfSent = "lvm.cut-half-sent"
  case lvmMetadataSnapshotHeld = "lvm.metadata-snapshot-held"
  case attachRecorded = "attach.recorded"
  case detachRecorded = "detach.recorded"
  case connectAttached = "connect.attached"
  case formatRecorded = "format.recorded"
  case recordBeforeRename = "record.before-rename"
  case stageConnected = "stage.connected"
  case stageFormatBegun = "stage.format-begun"
  case stageAfterMkfs = "stage.after-mkfs"
  case stageFormatted = "stage.formatted"
  case stageIdentityRenewed = "stage.identity-renewed"
  case stageAfterMount = "stage.after-mount"
  case stageDeviceFileMade = "stage.device-file-made"
  case unstageAfterUnmount = "unstage.after-unmount"
  case unstageAfterDisconnect = "unstage.after-disconnect"
  case publishTargetMade = "publish.target-made"
  case publishLoopAttached = "publish.loop-attached"
  case publishAfterBind = "publish.after-bind"
  case publishBeforeLimits = "publish.before-limits"
  case publishEphemeralCreated = "publish.ephemeral-created"
  case unpublishAfterUnmount = "unpublish.after-unmount"
  case unpublishLimitsLifted = "unpublish.limits-lifted"
  case unpublishTargetRemoved = "unpublish.target-removed"
  case unpublishEphemeralDisconnected = "unpublish.ephemeral-disconnected"
  // In the process that runs LVM's commands: before one, and after it before the answer.
  case lvmWorkerReceived = "lvm.worker-received"
  case lvmWorkerDone = "lvm.worker-done"

  // Of these, all but the first and the last come in the process that works on the encrypted device.
  case luksBegun = "luks.begun"
  case luksHeaderWritten = "luks.header-written"
  case luksFormatted = "luks.formatted"
  case luksOpened = "luks.opened"
  case luksWiped = "luks.wiped"
  case luksResized = "luks.resized"
  case luksClosed = "luks.closed"
  case luksRecorded = "luks.recorded"

  private static let armed: [CrashPoint: Int]? = {
    guard let text = getenv("STOWAGE_CRASH_AT").map({ String(cString: $0) }) else { return nil }
    let points = text.split(separator: ",").compactMap { entry -> (CrashPoint, Int)? in
      let parts = entry.split(separator: ":")
      guard let name = parts.first, let point = CrashPoint(rawValue: String(name)) else { return nil }
      return (point, parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
    }
    return points.isEmpty ? nil : Dictionary(points) { first, _ in first }
  }()
  private static let hits = Mutex<[CrashPoint: Int]>([:])

  /// Dies here when this point is armed and its count is reached.
  package func reached() {
    guard let armed = Self.armed, let count = armed[self] else { return }
    let hit = Self.hits.withLock { hits in
      hits[self, default: 0] += 1
      return hits[self]
    }
    if hit == count, isFirstDeath() { kill(getpid(), SIGKILL) }
  }

  /// Notes the death in the journal, if there is one. False when it is there already, of whatever process.
  private func isFirstDeath() -> Bool {
    guard let path = getenv("STOWAGE_CRASH_JOURNAL") else { return true }
    let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { return true }
    defer { close(file) }
    flock(file, LOCK_EX)
    var bytes = [UInt8](repeating: 0, count: 16384)
    let length = max(0, pread(file, &bytes, bytes.count, 0))
    let noted = String(decoding: bytes[..<length], as: UTF8.self).split(separator: "\n")
    guard !noted.contains(where: { $0 == rawValue }) else { return false }
    let line = Array((rawValue + "\n").utf8)
    return write(file, line, line.count) == line.count
  }
}
