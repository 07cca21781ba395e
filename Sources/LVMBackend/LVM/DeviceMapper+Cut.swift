import CLVM
import Glibc
import Storage

extension DeviceMapper {
  /// One thin volume whose content at one moment becomes another thin volume's.
  package struct ThinCut: Hashable, Sendable {
    /// A thin volume by LVM's name and uuid, and by the id that its pool knows it by.
    package struct Side: Hashable, Sendable {
      let path: LVPath
      let uuid: String
      let id: Int64
      package init(_ path: LVPath, uuid: String, id: Int64) {
        self.path = path
        self.uuid = uuid
        self.id = id
      }
    }
    let origin: Side
    /// Not active; what it held is lost.
    let target: Side
    let pool: LVPath
    package init(origin: Side, target: Side, pool: LVPath) {
      self.origin = origin
      self.target = target
      self.pool = pool
    }
  }

  /// Cuts all volumes at one moment: while all origins that are active are suspended, each target becomes a snapshot of
  /// its origin. Milliseconds, however many there are: LVM would take one command for each, and cannot snapshot a file
  /// system that is frozen (before Linux 6.8 it refuses to freeze twice). LVM's own metadata tell the same before and
  /// after: which thin id is whose. The origins are resumed whatever happens but for the death of this process; then
  /// `LVM.start` does it.
  ///
  /// Blocks until the origins' I/O that is under way has ended.
  /// - Parameter proceed: called before each step; what it throws ends the cut.
  /// - Throws: `.failed`, also when somebody else has suspended an origin before, or let one go on meanwhile; then some
  ///   targets hold the new content, some the old, some none.
  static func cut(_ cuts: [ThinCut], proceed: () throws -> Void) throws {
    let origins = try cuts.map(\.origin.path).filter { try info($0) != nil }
    // Whoever has suspended it lets it go on when it likes.
    for origin in origins { try checkSuspended(origin, false) }
    for cut in cuts {
      try proceed()
      try message("delete \(cut.target.id)", toPool: cut.pool)
    }
    var suspended: [String] = []
    let outcome = Result {
      for origin in origins {
        try proceed()
        let name = name(of: origin)
        try check(clvm_suspend(name), "suspend", name)
        suspended.append(name)
      }
      CrashPoint.lvmCutSuspended.reached()
      for cut in cuts {
        try proceed()
        try message("create_snap \(cut.target.id) \(cut.origin.id)", toPool: cut.pool)
        CrashPoint.lvmCutHalfSent.reached()
      }
      for origin in origins { try checkSuspended(origin, true) }
    }
    var stuck: (any Error)?
    for name in suspended.reversed() {
      do { try check(clvm_resume(name), "resume", name) } catch { stuck = stuck ?? error }
    }
    if let stuck { throw stuck }
    try outcome.get()
  }

  private static func checkSuspended(_ origin: LVPath, _ wanted: Bool) throws {
    guard try info(origin)?.isSuspended == wanted else {
      throw StorageError.failed(
        wanted ? "\(origin) went on while it was being cut" : "\(origin) is suspended by somebody else")
    }
  }

  private static func check(_ result: Int32, _ what: String, _ name: String) throws {
    guard result == 0 else {
      throw StorageError.failed("device-mapper: cannot \(what) \(name): \(String(cString: strerror(-result)))")
    }
  }
}
