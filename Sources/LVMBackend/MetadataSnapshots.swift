import Glibc
import Host
import Storage
import Synchronization

/// The one view of its metadata that a thin pool can hold still for readers. Whoever uses it takes turns, and it is
/// released whatever happens: the pool keeps all that it shows.
final class MetadataSnapshots: Sendable {
  /// Names the pools whose metadata snapshot is ours, in files, so that the next life of this process knows.
  private let directory: String
  private let turns = Mutex<[LVPath: [CheckedContinuation<Void, Never>]]>([:])
  /// The most that wait for their turn at one pool.
  private static let patience = 16

  init(directory: String) { self.directory = directory }

  /// Calls `body` while the pool holds a metadata snapshot.
  /// - Throws: `.busy` when too many wait already or another program holds the pool's, `.unavailable` when the pool is
  ///   not active, what `body` throws.
  func withSnapshot<Value>(of pool: LVPath, _ body: () async throws -> Value) async throws -> Value {
    try await takeTurn(pool)
    defer { passTurn(pool) }
    guard let status = try DeviceMapper.poolStatus(pool) else {
      throw StorageError.unavailable("the pool \(pool) is not active")
    }
    guard !status.holdsMetadataSnapshot || isOurs(pool) else {
      throw StorageError.busy("another program holds the metadata snapshot of the pool \(pool)")
    }
    try releaseIfOurs(pool)
    try note(pool)
    let outcome: Result<Value, any Error>
    do {
      try DeviceMapper.message("reserve_metadata_snap", toPool: pool)
      CrashPoint.lvmMetadataSnapshotHeld.reached()
      outcome = .success(try await body())
    } catch {
      outcome = .failure(error)
    }
    try releaseIfOurs(pool)
    return try outcome.get()
  }

  /// Releases what an earlier life of this process left held.
  /// - Parameter isFresh: the pool was activated just now: whoever held it is gone with the last boot.
  func releaseLeftover(_ pool: LVPath, isFresh: Bool) throws {
    if isFresh, try DeviceMapper.poolStatus(pool)?.holdsMetadataSnapshot == true { try note(pool) }
    try releaseIfOurs(pool)
  }

  private func releaseIfOurs(_ pool: LVPath) throws {
    guard isOurs(pool) else { return }
    if try DeviceMapper.poolStatus(pool)?.holdsMetadataSnapshot == true {
      try DeviceMapper.message("release_metadata_snap", toPool: pool)
    }
    unlink(mark(pool))
  }

  // MARK: marks

  private func mark(_ pool: LVPath) -> String { "\(directory)/metadata-snapshot.\(DeviceMapper.name(of: pool))" }
  private func isOurs(_ pool: LVPath) -> Bool { access(mark(pool), F_OK) == 0 }
  /// Not synced: after a reboot `isFresh` tells.
  private func note(_ pool: LVPath) throws { _ = try Descriptor(opening: mark(pool), O_WRONLY | O_CREAT, mode: 0o600) }

  // MARK: turns

  private func takeTurn(_ pool: LVPath) async throws {
    let isTooMany = turns.withLock { turns in (turns[pool]?.count ?? 0) >= Self.patience }
    guard !isTooMany else {
      throw StorageError.busy("too many calls wait for the metadata of the pool \(pool)")
    }
    await withCheckedContinuation { continuation in
      let isFree = turns.withLock { turns in
        guard turns[pool] == nil else {
          turns[pool]?.append(continuation)
          return false
        }
        turns[pool] = []
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  private func passTurn(_ pool: LVPath) {
    let next = turns.withLock { turns -> CheckedContinuation<Void, Never>? in
      guard turns[pool]?.isEmpty == false else {
        turns[pool] = nil
        return nil
      }
      return turns[pool]?.removeFirst()
    }
    next?.resume()
  }
}
