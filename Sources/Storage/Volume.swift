/// What a volume is made from.
package enum ContentSource: Hashable, Sendable {
  case snapshot(NativeID)
  case volume(NativeID)
}

/// What a volume's bytes were made for, recorded at creation.
package enum VolumeContent: Hashable, Sendable {
  case block
  case filesystem(FilesystemType)
}

/// A validated request for a volume. Names are the CO's: any Unicode of at most 128 bytes, never a path element.
package struct VolumeSpec: Hashable, Sendable {
  package var name: String
  package var capacity: CapacityRange
  /// At least one; the backend accepts them all or refuses.
  package var capabilities: [VolumeCapability]
  /// As `StorageBackend.canonical(parameters:)` returned them.
  package var parameters: [String: String]
  /// As `ModifiableBackend.canonical(mutableParameters:)` returned them.
  package var mutableParameters: [String: String]
  package var source: ContentSource?
  package var topology: TopologyRequirement?
  package var secrets: Secrets
  /// Made by NodePublishVolume for one pod, deleted with it.
  package var isEphemeral: Bool

  package init(
    name: String, capacity: CapacityRange = .unspecified, capabilities: [VolumeCapability],
    parameters: [String: String] = [:], mutableParameters: [String: String] = [:], source: ContentSource? = nil,
    topology: TopologyRequirement? = nil, secrets: Secrets = .none, isEphemeral: Bool = false
  ) {
    self.name = name
    self.capacity = capacity
    self.capabilities = capabilities
    self.parameters = parameters
    self.mutableParameters = mutableParameters
    self.source = source
    self.topology = topology
    self.secrets = secrets
    self.isEphemeral = isEphemeral
  }

  /// What the volume will hold: block when the first capability says so, else the file system that one of them names.
  /// - Parameter fallback: the file system when the CO names none.
  package func content(fallback: FilesystemType) -> VolumeContent {
    switch capabilities.first?.access {
    case .block, nil: .block
    case .mount: .filesystem(capabilities.lazy.compactMap { $0.mount?.filesystem }.first ?? fallback)
    }
  }

  /// The same for a copy, which holds what its source does when the CO names no file system.
  /// - Parameter held: what the source holds; nil: this is no copy.
  /// - Throws: `StorageError.invalid` when the CO names another file system.
  package func content(copying held: VolumeContent?, fallback: FilesystemType) throws -> VolumeContent {
    guard case .filesystem(let held)? = held else { return content(fallback: fallback) }
    let content = content(fallback: held)
    if case .filesystem(let wanted) = content, wanted != held {
      throw StorageError.invalid("the source holds \(held.rawValue), not \(wanted.rawValue)")
    }
    return content
  }
}

/// A volume as its backend knows it.
package struct Volume: Hashable, Sendable {
  package var id: NativeID
  /// The CO's name for it; empty when the volume was made by somebody else.
  package var name: String
  package var capacity: ByteCount
  /// Returned by CreateVolume and given back in later calls: immutable, without secrets.
  package var context: [String: String]
  package var source: ContentSource?
  /// Canonical creation parameters; nil when the backend does not record them.
  package var parameters: [String: String]?
  /// nil when the backend does not record it.
  package var content: VolumeContent?
  package var topology: [Topology]
  package var publishedNodes: [NodeID]
  package var isEphemeral: Bool

  package init(
    id: NativeID, name: String, capacity: ByteCount, context: [String: String] = [:], source: ContentSource? = nil,
    parameters: [String: String]? = nil, content: VolumeContent? = nil, topology: [Topology] = [],
    publishedNodes: [NodeID] = [], isEphemeral: Bool = false
  ) {
    self.id = id
    self.name = name
    self.capacity = capacity
    self.context = context
    self.source = source
    self.parameters = parameters
    self.content = content
    self.topology = topology
    self.publishedNodes = publishedNodes
    self.isEphemeral = isEphemeral
  }
}

/// A controller's or node's view of a volume's health (CSI spec 1.12 VolumeCondition, 1.13 VolumeHealth).
package struct VolumeCondition: Hashable, Sendable {
  package enum Severity: Hashable, Sendable { case degraded, inaccessible, dataLoss }
  package struct Problem: Hashable, Sendable {
    package var severity: Severity
    /// CamelCase, for machines: `BackingFileMissing`.
    package var reason: String
    package var message: String
    package init(_ severity: Severity, reason: String, message: String) {
      self.severity = severity
      self.reason = reason
      self.message = message
    }
  }
  /// Empty = healthy. At most one per (severity, reason).
  package var problems: [Problem]
  package init(problems: [Problem] = []) { self.problems = problems }
  package static let healthy = VolumeCondition()
  package var isAbnormal: Bool { !problems.isEmpty }
  package var message: String {
    problems.isEmpty ? "healthy" : problems.map(\.message).joined(separator: "; ")
  }
}

package struct CapacityQuery: Hashable, Sendable {
  package var capabilities: [VolumeCapability]
  /// Canonical parameters.
  package var parameters: [String: String]
  package var topology: Topology?
  package init(capabilities: [VolumeCapability] = [], parameters: [String: String] = [:], topology: Topology? = nil) {
    self.capabilities = capabilities
    self.parameters = parameters
    self.topology = topology
  }
}

package struct Capacity: Hashable, Sendable {
  package var available: ByteCount
  package var maximumVolume: ByteCount?
  package var minimumVolume: ByteCount?
  package init(available: ByteCount, maximumVolume: ByteCount? = nil, minimumVolume: ByteCount? = nil) {
    self.available = available
    self.maximumVolume = maximumVolume
    self.minimumVolume = minimumVolume
  }
  package static let none = Capacity(available: .zero)
}
