import Storage

/// Limits on the I/O of the pods that use a volume; the node puts them on.
extension LVMBackend: ModifiableBackend, IOLimitingBackend {
  /// Keys: see `IOLimits`.
  package func canonical(mutableParameters: [String: String]) throws -> [String: String] {
    try IOLimits.canonical(mutableParameters: mutableParameters)
  }

  package func modify(_ id: NativeID, mutableParameters: [String: String], secrets: Secrets) async throws {
    let record = try await existing(id)
    var modified = record
    modified.mutableParameters = IOLimits.merging(
      try canonical(mutableParameters: mutableParameters), into: record.mutableParameters)
    guard modified != record else { return }
    try await update(record, to: modified)
    CrashPoint.modifyRecorded.reached()
  }

  package func ioLimits(of id: NativeID) async throws -> IOLimits? {
    let parameters = try await existing(id).mutableParameters
    return parameters.isEmpty ? nil : try IOLimits(mutableParameters: parameters)
  }
}
