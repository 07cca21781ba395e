import Storage
import Synchronization

extension LVM {
  /// `DeviceMapper.cut` while none of our own commands runs, and only when LVM has just said that every volume is the
  /// one that it is taken for: its messages name thin volumes by numbers, which are given out again.
  ///
  /// A cut that is given up may be waiting in the kernel still: it goes no step further when it wakes, resumes what it
  /// has suspended, and no command begins before that.
  /// - Parameters:
  ///   - tag: that all targets have.
  ///   - patience: how long to wait for commands that were there before, while file systems are frozen.
  /// - Throws: `.unavailable` past `Settings.hangLimit`; else as `DeviceMapper.cut`.
  package func cut(_ cuts: [DeviceMapper.ThinCut], tag: String, patience: Duration = .seconds(5)) async throws {
    let isGivenUp = GivenUp()
    let (outcomes, outcome) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
    Task {
      do {
        try await queue.run("cutting \(cuts.first?.origin.path.description ?? "")", patience: patience) {
          for cut in cuts { try self.check(cut, tag) }
          try DeviceMapper.cut(cuts) { try isGivenUp.check() }
        }
        outcome.yield(.success(()))
      } catch let refusal as CommandQueue.Refusal {
        outcome.yield(.failure(refusal.error))
      } catch {
        outcome.yield(.failure(error))
      }
    }
    let timer = Task {
      guard (try? await Task.sleep(for: settings.hangLimit)) != nil else { return }
      isGivenUp.set()
      outcome.yield(.failure(GivenUp.error))
    }
    defer { timer.cancel() }
    for await outcome in outcomes { return try outcome.get() }
    isGivenUp.set()
    throw CancellationError()
  }

  private func check(_ cut: DeviceMapper.ThinCut, _ tag: String) throws {
    let group = try refresh(cut.pool.group)
    func isThere(_ side: DeviceMapper.ThinCut.Side) -> LogicalVolume? {
      guard side.path.group == group.name, let volume = group.volumes[side.path.name], volume.uuid == side.uuid,
        volume.thinID == side.id, volume.poolName == cut.pool.name
      else { return nil }
      return volume
    }
    guard isThere(cut.origin) != nil, let target = isThere(cut.target), target.tags.contains(tag) else {
      throw StorageError.failed("\(cut.target.path) or \(cut.origin.path) is not what it was a moment ago")
    }
  }
}

/// Whether nobody waits for a cut any more.
private final class GivenUp: Sendable {
  static let error = StorageError.unavailable("a device did not let itself be suspended in time")
  private let flag = Atomic<Bool>(false)

  func set() { flag.store(true, ordering: .releasing) }
  func check() throws { if flag.load(ordering: .acquiring) { throw Self.error } }
}
