import CLVM
import Glibc
import Storage

extension DeviceMapper {
  /// One thin volume whose content at one moment becomes another thin volume's.
  struct ThinCut: Hashable, Sendable {
    let origin: LVPath
    let originID: Int64
    /// A thin volume that is not active; what it held is lost.
    let target: LVPath
    let targetID: Int64
    let pool: LVPath
  }

  /// Cuts all volumes at one moment: while all origins that are active are suspended, each target becomes a snapshot of
  /// its origin. Milliseconds, however many there are: LVM would take one command for each, and cannot snapshot a file
  /// system that is frozen (before Linux 6.8 it refuses to freeze twice). LVM's own metadata tell the same before and
  /// after: which thin id is whose. The origins are resumed whatever happens but for the death of this process; then
  /// `LVM.start` does it.
  ///
  /// Blocks until the origins' I/O that is under way has ended.
  /// - Throws: `.failed`; then some targets hold the new content, some the old, some none.
  static func cut(_ cuts: [ThinCut]) throws {
    for cut in cuts { try message("delete \(cut.targetID)", toPool: cut.pool) }
    var suspended: [String] = []
    let outcome = Result {
      for cut in cuts where try info(cut.origin) != nil {
        let name = name(of: cut.origin)
        try check(clvm_suspend(name), "suspend", name)
        suspended.append(name)
      }
      for cut in cuts { try message("create_snap \(cut.targetID) \(cut.originID)", toPool: cut.pool) }
    }
    var stuck: (any Error)?
    for name in suspended.reversed() {
      do { try check(clvm_resume(name), "resume", name) } catch { stuck = stuck ?? error }
    }
    if let stuck { throw stuck }
    try outcome.get()
  }

  private static func check(_ result: Int32, _ what: String, _ name: String) throws {
    guard result == 0 else {
      throw StorageError.failed("device-mapper: cannot \(what) \(name): \(String(cString: strerror(-result)))")
    }
  }
}
