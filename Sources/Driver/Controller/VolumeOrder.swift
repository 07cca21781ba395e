import CSI
import Storage

/// A CreateVolume request that passed every check that needs no look at the stored volumes.
struct VolumeOrder: Sendable {
  let backend: any Backend
  let spec: VolumeSpec
  let source: QualifiedID?

  init(validating request: CreateVolumeRequest, _ registry: BackendRegistry) throws {
    let name = try FieldRules.name(request.name)
    let capabilities = try VolumeCapability.list(request.volumeCapabilities)
    let parameters = ClassParameters(try FieldRules.map(request.parameters, "parameters"))
    backend = try registry.backend(named: parameters.backend)
    try backend.checkSupport(capabilities)
    source = try request.volumeContentSource.map { try Self.source($0, registry) }
    let content = try Self.content(request.volumeContentSource, source, backend)
    spec = VolumeSpec(
      name: name, capacity: try CapacityRange(validating: request.capacityRange), capabilities: capabilities,
      parameters: try backend.canonical(parameters: parameters.rest),
      mutableParameters: try MutableParameters.canonical(
        FieldRules.map(request.mutableParameters, "mutable_parameters"), backend), source: content,
      topology: backend.topologies.isEmpty ? nil : .parsing(request.accessibilityRequirements),
      secrets: Secrets(request.secrets))
  }

  private static func source(_ wire: VolumeContentSource, _ registry: BackendRegistry) throws -> QualifiedID {
    switch wire.type {
    case .snapshot(let snapshot): registry.parse(try FieldRules.required(snapshot.snapshotID, "snapshot_id"))
    case .volume(let volume): registry.parse(try FieldRules.required(volume.volumeID, "source volume_id"))
    case nil: throw StorageError.invalid("volume_content_source needs a snapshot or a volume")
    }
  }

  /// - Throws: `.invalid` when the chosen backend cannot make a volume from that source.
  private static func content(
    _ wire: VolumeContentSource?, _ source: QualifiedID?, _ backend: any Backend
  ) throws -> ContentSource? {
    guard let type = wire?.type, let source else { return nil }
    guard source.backend == (backend as any StorageBackend).name else {
      throw StorageError.invalid("volume_content_source lives in backend \(source.backend), not in the one asked for")
    }
    switch type {
    case .snapshot:
      guard backend is any SnapshottingBackend else { throw StorageError.invalid("snapshots are not supported") }
      return .snapshot(source.native)
    case .volume:
      guard backend is any CloningBackend else { throw StorageError.invalid("cloning is not supported") }
      return .volume(source.native)
    }
  }

  /// What to hold alone: the name in every backend, and the id that follows from it.
  func keys(_ registry: BackendRegistry) -> [OperationKey] {
    let derived = backend.volumeID(forName: spec.name).map { OperationKey.volume(registry.id($0, of: backend)) }
    return [.volumeName(spec.name)] + (derived.map { [$0] } ?? [])
  }

  /// What to hold together with others: the source must neither go nor grow during the copy, and while a volume is being
  /// cloned no snapshot or group is cut of it: either would suspend it, and let it go on, under the other.
  var sharedKeys: [OperationKey] {
    guard let source else { return [] }
    return if case .snapshot = spec.source { [.snapshot(source)] } else { [.volume(source), .cut(source)] }
  }

  /// Whether there is a source at all the backend tells: it may know where else it is.
  /// - Throws: `.unavailable` for a source that is not ready yet, `.exhausted` when the backend serves none of the
  ///   required places.
  func checkSurroundings() async throws {
    if case .snapshot(let id) = spec.source,
      let snapshot = try await (backend as? any SnapshottingBackend)?.snapshot(id), !snapshot.isReady
    {
      throw StorageError.unavailable("snapshot \(id) is not ready yet")
    }
    _ = try spec.topology?.choose(from: backend.topologies)
  }

  /// - Throws: `.incompatible` when a volume of this name was made by a request that this one does not repeat.
  func checkMatch(_ volume: Volume, of owner: any StorageBackend) throws {
    guard owner.name == (backend as any StorageBackend).name else {
      throw StorageError.incompatible("the volume exists in backend \(owner.name)")
    }
    if let difference = volume.difference(from: spec, defaultFilesystem: backend.defaultFilesystem) {
      throw StorageError.incompatible("a volume of this name exists with another \(difference)")
    }
  }
}

extension Volume {
  /// The first aspect in which this volume is not what `spec` asks for, or nil.
  func difference(from spec: VolumeSpec, defaultFilesystem: FilesystemType) -> String? {
    if !spec.capacity.contains(capacity) { return "capacity (\(capacity))" }
    if source != spec.source { return "volume_content_source" }
    if let parameters, parameters != spec.parameters { return "parameters" }
    if let content, content != spec.content(fallback: defaultFilesystem) { return "volume_capability" }
    if isEphemeral != spec.isEphemeral { return "lifetime: it belongs to one pod" }
    if let required = spec.topology?.requisite, !required.isEmpty, !topology.isEmpty,
      !required.contains(where: { place in topology.contains { $0.satisfies(place) } })
    {
      return "accessible_topology"
    }
    return nil
  }
}
