import Glibc
import Storage

extension LVMBackend: ModifiableBackend, IOLimitingBackend {
  /// Keys: `iops-read`, `iops-write` (operations per second), `bps-read`, `bps-write` (bytes per second, such as
  /// `10Mi`): all above zero.
  package func canonical(mutableParameters: [String: String]) throws -> [String: String] {
    var canonical: [String: String] = [:]
    for (key, value) in mutableParameters {
      let number: Int64?
      switch key {
      case "iops-read", "iops-write": number = Int64(value)
      case "bps-read", "bps-write": number = ByteCount(parsing: value)?.bytes
      default:
        throw StorageError.invalid(
          "unknown mutable parameter '\(key.prefix(64))'; known are iops-read, iops-write, bps-read and bps-write")
      }
      guard let number, number > 0 else { throw StorageError.invalid("\(key) must be a number above zero") }
      canonical[key] = String(number)
    }
    return canonical
  }

  package func modify(_ id: NativeID, mutableParameters: [String: String], secrets: Secrets) async throws {
    let record = try await existing(id)
    var modified = record
    modified.mutableParameters.merge(try canonical(mutableParameters: mutableParameters)) { $1 }
    if !modified.mutableParameters.isEmpty { try checkLimitsWork() }
    try await update(record, to: modified)
  }

  package func ioLimits(of id: NativeID) async throws -> IOLimits? {
    let parameters = try await existing(id).mutableParameters
    func number(_ key: String) -> Int64? { parameters[key].flatMap { Int64($0) } }
    let limits = IOLimits(
      readOperations: number("iops-read"), writeOperations: number("iops-write"), readBytes: number("bps-read"),
      writeBytes: number("bps-write"))
    return limits.isEmpty ? nil : limits
  }

  /// - Throws: `.precondition` where there is no control group of version 2 to put limits on.
  func checkLimitsWork() throws {
    guard access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 else {
      throw StorageError.precondition("I/O limits need control groups of version 2 at /sys/fs/cgroup")
    }
  }
}
