import Storage

/// What a process serves volumes from: at home on the controller as well as on the node.
package typealias Backend = StorageBackend & NodeBackend

/// The configured backends in their order. The first is the default: its ids carry no prefix, and it serves storage
/// classes that name none.
struct BackendRegistry: Sendable {
  let all: [any Backend]
  let names: [BackendName]
  private let first: any Backend

  /// - Throws: `StorageError.invalid` without backends or for two of one name.
  init(_ backends: [any Backend]) throws {
    guard let first = backends.first else { throw StorageError.invalid("at least one backend must be configured") }
    self.first = first
    all = backends
    names = backends.map { ($0 as any StorageBackend).name }
    guard Set(names).count == names.count else { throw StorageError.invalid("two backends have the same name") }
  }

  private var defaultName: BackendName { (first as any StorageBackend).name }

  func id(_ native: NativeID, of backend: any StorageBackend) -> QualifiedID {
    QualifiedID(backend: backend.name, native: native, defaultBackend: defaultName)
  }

  /// The id as the CO knows it.
  func text(_ native: NativeID, of backend: any StorageBackend) -> String {
    backend.name == defaultName ? native.rawValue : "\(backend.name):\(native)"
  }

  func parse(_ id: String) -> QualifiedID {
    QualifiedID(parsing: id, backends: names, defaultBackend: defaultName)
  }

  func backend(of id: QualifiedID) -> any Backend {
    all.first { ($0 as any StorageBackend).name == id.backend } ?? first
  }

  /// The backend that a storage class picks with its parameter `backend`.
  func backend(named name: String?) throws -> any Backend {
    guard let name else { return first }
    guard let backend = all.first(where: { ($0 as any StorageBackend).name.rawValue == name }) else {
      throw StorageError.invalid("no backend is named \(name)")
    }
    return backend
  }

  /// - Throws: `.notFound`.
  func volume(_ id: QualifiedID) async throws -> Volume {
    guard let volume = try await backend(of: id).volume(id.native) else {
      throw StorageError.notFound("volume \(id) does not exist")
    }
    return volume
  }

  /// Calls `body` for each volume of a backend whose volumes live on this node.
  func forEachVolume(livingWith backend: any Backend, _ body: (QualifiedID) async -> Void) async throws {
    guard let backend = backend as? any LocallyAttachableBackend & ListableBackend else { return }
    var last: NativeID?
    while true {
      let volumes = try await backend.volumes(after: last, limit: 1024)
      for volume in volumes { await body(id(volume.id, of: backend)) }
      last = volumes.last?.id
      if volumes.count < 1024 { break }
    }
  }

  func conform<Ability>(to ability: Ability.Type) -> Bool { all.contains { $0 is Ability } }
}

/// StorageClass parameters, parted into what the driver, the backend and the sidecars read.
struct ClassParameters: Hashable, Sendable {
  let backend: String?
  let rest: [String: String]

  /// Keys of the sidecars pass unread, whether or not they stripped them.
  init(_ parameters: [String: String]) {
    backend = parameters["backend"]
    rest = parameters.filter { $0.key != "backend" && !Self.belongsToSidecar($0.key) }
  }

  static func belongsToSidecar(_ key: String) -> Bool {
    key.hasPrefix("csi.storage.k8s.io/") || deprecated.contains(key)
  }

  /// Old spellings that external-provisioner reads but does not strip.
  private static let deprecated: Set<String> = [
    "fstype", "csiProvisionerSecretName", "csiProvisionerSecretNamespace", "csiControllerPublishSecretName",
    "csiControllerPublishSecretNamespace", "csiNodeStageSecretName", "csiNodeStageSecretNamespace",
    "csiNodePublishSecretName", "csiNodePublishSecretNamespace",
  ]
}
