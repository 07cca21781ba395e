import Host
import Storage

extension FileBackend {
  package func capacity(_ query: CapacityQuery) async throws -> Capacity {
    let isServed = query.topology.map { wanted in topologies.isEmpty || topologies.contains { $0.satisfies(wanted) } }
    let isHonoured = query.capabilities.allSatisfy { accessModes(for: $0.type).contains($0.mode) }
    guard isServed ?? true, isHonoured else { return .none }
    try resampleAllocation()
    let available = try available()
    let usable = ByteCount(available.bytes / Self.sizeUnit * Self.sizeUnit)
    return Capacity(
      available: usable, maximumVolume: min(usable, configuration.maximumSize),
      minimumVolume: minimumSize(
        for: query.capabilities, query.parameters, atLeast: configuration.minimumSize))
  }

  /// Space for new volumes by the ledger and the file system's present free space.
  func available() throws -> ByteCount {
    let free = try disk.space(at: layout.root).available
    return try catalogue { $0.ledger.available(free: free, ratio: configuration.overprovisionRatio) }
  }

  /// Promises `size` bytes; `release` takes the promise back.
  /// - Throws: `.exhausted`.
  func reserve(_ size: ByteCount) throws {
    let free = try disk.space(at: layout.root).available
    try catalogue { catalogue in
      let available = catalogue.ledger.available(free: free, ratio: configuration.overprovisionRatio)
      guard size <= available else {
        throw StorageError.exhausted("\(size.bytes) bytes are wanted and \(available.bytes) are left to promise")
      }
      catalogue.ledger.provisioned = catalogue.ledger.provisioned + size
    }
  }

  func release(_ size: ByteCount) {
    // Fails only after `close`, when there is no ledger to put right.
    try? catalogue { $0.ledger.provisioned = $0.ledger.provisioned - size }
  }

  /// Counts what a new volume takes up already.
  func noteAllocation(of record: VolumeRecord) throws {
    guard let usage = try disk.usage(of: layout.data(ofVolume: record.id)) else { return }
    try catalogue { $0.ledger.allocated = $0.ledger.allocated + min(usage.allocated, record.capacity) }
  }

  /// Looks at every volume's file, at most once a minute. In between the ledger errs towards too little space only:
  /// what was written since is counted as taken and as still promised.
  private func resampleAllocation() throws {
    let now = ContinuousClock.now
    let due = try catalogue { catalogue -> [VolumeRecord]? in
      if let sampled = catalogue.ledgerSampled, now - sampled < .seconds(60) { return nil }
      catalogue.ledgerSampled = now
      return Array(catalogue.volumes.values)
    }
    guard let due else { return }
    var allocated = ByteCount.zero
    for record in due {
      let usage = try disk.usage(of: layout.data(ofVolume: record.id))
      allocated = allocated + min(usage?.allocated ?? .zero, record.capacity)
    }
    try catalogue { $0.ledger.allocated = allocated }
  }
}
