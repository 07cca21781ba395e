import Host
import LVMBackend
import Storage
import Testing

/// Backends over one volume group with small extents.
struct BackendHost: Sendable {
  enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case thin, linear, striped, raid1

    var isThin: Bool { self == .thin }
    var testDescription: String { rawValue }
    fileprivate var disks: Int { self == .striped || self == .raid1 ? 2 : 1 }

    /// Volumes of one MiB must be possible: striped ones are multiples of two extents.
    fileprivate var extent: ByteCount { self == .striped ? .kib(512) : .mib(1) }

    fileprivate func layout(_ pool: String) -> DeviceClass.Layout {
      switch self {
      case .thin: .thin(pool: pool)
      case .linear: .linear
      case .striped: .striped(2)
      case .raid1: .raid1(2)
      }
    }
  }

  let group: TestGroup
  let kind: Kind
  let wipe: DeviceClass.Wipe
  var node: NodeID { NodeID("here") }

  static func use<T>(
    _ kind: Kind, wipe: DeviceClass.Wipe = .delete, _ body: (BackendHost) async throws -> T
  ) async throws -> T {
    try await TestGroup.use(disks: kind.disks, pool: kind.isThin ? .gib(1) : nil, extent: kind.extent) { group in
      try await body(BackendHost(group: group, kind: kind, wipe: wipe))
    }
  }

  /// What a server that has just started serves with.
  func prepared(on node: NodeID? = nil) async throws -> LVMBackend {
    let backend = LVMBackend(
      try LVMBackendConfiguration(
        name: BackendName(validating: "lvm"), nodeID: node ?? self.node,
        topologies: [Topology(["example.org/node": "here"])],
        classes: [
          DeviceClass(name: "only", volumeGroup: group.name, layout: kind.layout(group.pool), wipe: wipe)
        ], minimumSize: .mib(1), executable: TestGroup.stowage, runtimeDirectory: group.runtimeDirectory + "/run/a/b"))
    try await backend.prepare()
    return backend
  }

  /// Runs `body` with a prepared backend.
  func serving<T>(on node: NodeID? = nil, _ body: (LVMBackend) async throws -> T) async throws -> T {
    let backend = try await prepared(on: node)
    let result: Result<T, any Error>
    do { result = .success(try await body(backend)) } catch { result = .failure(error) }
    await backend.close()
    return try result.get()
  }

  /// Names of all logical volumes but the pool, as lvs(8) shows them.
  func volumes() async throws -> [String] {
    let output = try await TestGroup.run(["lvs", "--noheadings", "-o", "lv_name", group.name])
    return output.split(separator: "\n").map { String($0).trimmed }.filter { $0 != group.pool }
  }

  func removeVolumes() async throws {
    for name in try await volumes() { try await TestGroup.run(["lvremove", "-yff", "\(group.name)/\(name)"]) }
  }
}
