import Storage

/// Limits on the I/O of the pods that use a volume; the node puts them on.
extension FileBackend: ModifiableBackend, IOLimitingBackend {
  /// Keys: see `IOLimits`.
  package func canonical(mutableParameters: [String: String]) throws -> [String: String] {
    try IOLimits.canonical(mutableParameters: mutableParameters)
  }

  package func modify(_ id: NativeID, mutableParameters: [String: String], secrets: Secrets) async throws {
    var record = try existing(id)
    let wanted = IOLimits.merging(try canonical(mutableParameters: mutableParameters), into: record.mutable)
    guard wanted != record.mutable else { return }
    record.mutable = wanted
    try update(record)
    CrashPoint.modifyRecorded.reached()
  }

  package func ioLimits(of id: NativeID) async throws -> IOLimits? {
    let record = try existing(id)
    return record.mutable.isEmpty ? nil : try IOLimits(mutableParameters: record.mutable)
  }
}
