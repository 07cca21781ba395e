import Storage

/// What a backend's tests must provide for the contract to be run on it.
package protocol BackendFactory: Sendable {
  /// A node that volumes can be attached to and connected on: this host.
  var node: NodeID { get }

  /// Calls `body` with a prepared backend that holds nothing yet, and takes everything away afterwards, also on errors.
  func withBackend(_ body: (any StorageBackend) async throws -> Void) async throws
}

/// One rule that every backend keeps. Abilities that a backend does not have are passed over.
package struct ContractCheck: Sendable, CustomStringConvertible {
  /// A sentence.
  package let name: String
  private let body: @Sendable (Contract) async throws -> Void

  init(_ name: String, _ body: @escaping @Sendable (Contract) async throws -> Void) {
    self.name = name
    self.body = body
  }

  package var description: String { name }

  /// - Throws: `ContractFailure` with what was broken, or the backend's own error.
  package func run(_ factory: some BackendFactory) async throws {
    try await factory.withBackend { backend in
      try await body(Contract(backend: backend, node: factory.node))
    }
  }

  /// The whole contract.
  package static let all: [ContractCheck] =
    volumes + listing + attachment + expansion + node + snapshots + clones + groups + blocks
}

/// A rule that was broken.
package struct ContractFailure: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// One run of one check: the backend and the words that checks are written in.
struct Contract: Sendable {
  let backend: any StorageBackend
  let node: NodeID

  static let writer = VolumeCapability(.block, .singleNodeWriter)

  func expect(_ condition: Bool, _ failure: @autoclosure () -> String) throws {
    guard condition else { throw ContractFailure(failure()) }
  }

  func expectEqual<T: Equatable>(_ a: T, _ b: T, _ what: String) throws {
    guard a == b else { throw ContractFailure("\(what): \(a) is not \(b)") }
  }

  /// Expects `body` to throw the `StorageError` case of this name.
  func expectError(_ name: String, _ what: String, _ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as StorageError {
      let thrown = Mirror(reflecting: error).children.first?.label ?? ""
      guard thrown == name else { throw ContractFailure("\(what): threw .\(thrown)(\(error)) instead of .\(name)") }
      return
    } catch {
      throw ContractFailure("\(what): threw \(error) instead of .\(name)")
    }
    throw ContractFailure("\(what): nothing was thrown instead of .\(name)")
  }

  @discardableResult
  func create(
    _ name: String, mib: Int64 = 16, capabilities: [VolumeCapability] = [writer], from source: ContentSource? = nil
  ) async throws -> Volume {
    try await backend.createVolume(
      VolumeSpec(
        name: name, capacity: try .exactly(.mib(mib)), capabilities: capabilities, source: source))
  }

  func delete(_ volume: Volume) async throws { try await backend.deleteVolume(volume.id, secrets: .none) }

  /// Connects the volume, lets `body` use its device, and takes it away again.
  func withDevice<T>(_ id: NativeID, _ body: (Device) async throws -> T) async throws -> T? {
    guard let nodeBackend = backend as? any NodeBackend else { return nil }
    guard case .block(let path) = try await nodeBackend.connect(id, NodeConnection()) else { return nil }
    let result: Result<T, any Error>
    do { result = .success(try await body(try Device(path))) } catch { result = .failure(error) }
    try await nodeBackend.disconnect(id)
    return try result.get()
  }

  /// The whole content of a volume.
  func content(of volume: Volume) async throws -> [UInt8]? {
    try await withDevice(volume.id) { try $0.read(at: 0, Int(volume.capacity.bytes)) }
  }

  /// What a snapshot holds, seen through a volume that is restored from it and deleted again.
  func content(of snapshot: Snapshot, mib: Int64? = nil) async throws -> [UInt8]? {
    let size = mib.map(ByteCount.mib) ?? snapshot.size
    let volume = try await backend.createVolume(
      VolumeSpec(
        name: "look-\(snapshot.id)".prefix(60).description, capacity: try .exactly(size),
        capabilities: [Self.writer], source: .snapshot(snapshot.id)))
    let content = try await content(of: volume)
    try await delete(volume)
    return content
  }
}

extension CapacityRange {
  static func exactly(_ size: ByteCount) throws -> CapacityRange {
    try CapacityRange(requiredBytes: size.bytes, limitBytes: size.bytes)
  }
  static func atLeast(_ size: ByteCount) throws -> CapacityRange {
    try CapacityRange(requiredBytes: size.bytes, limitBytes: 0)
  }
}
