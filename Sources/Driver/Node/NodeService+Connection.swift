import Host
import Storage

/// Between the backends, which bring a volume's own device to this host, and everything that uses it: an encrypted
/// volume is used through a device on top of its own. What is open is read from the kernel at every call.
extension BackendRegistry {
  /// What a connected volume is used through on this host, read from the kernel now; nil when it is not connected, or
  /// encrypted and not open.
  func source(of id: QualifiedID) async throws -> NodeSource? {
    let backend = backend(of: id)
    guard let source = try await backend.connected(id.native) else { return nil }
    guard case .block(let device) = source, try await backend.encryption(of: id.native) != nil else { return source }
    return try opened(id, over: device).map { .block(device: $0.path) }
  }

  /// The device on top of an encrypted volume's own, when it is open and works.
  func opened(_ id: QualifiedID, over device: String) throws -> MappedDevice? {
    let name = EncryptedName.of(id)
    guard let opened = try MappedDevice.over(device).first(where: { $0.name == name && $0.isLUKS2 }), opened.isLive
    else { return nil }
    try opened.makeNodeIfMissing()
    return opened
  }
}

/// What the devices on top of encrypted volumes are called.
enum EncryptedName {
  private static let space = UUID(parsing: "f4d3a0c7-9d0b-4c1f-8a52-60b1c6e07a1d") ?? UUID.random()

  /// The same for one volume always. Ids may be longer than names of devices can be.
  static func of(_ id: QualifiedID) -> String {
    let hash = UUID(namespace: space, name: "\(id.backend)\0\(id.native)")
    return Encryption.namePrefix + "\(hash)".filter { $0 != "-" }
  }
}

extension NodeService {
  private var encryption: Encryption { Encryption(executable: configuration.executable) }

  /// Makes the volume present on this host; the same source on a repeat. What fails may leave its own device connected:
  /// `disconnect` takes it away.
  /// - Parameter isRepeat: whether the call has been answered before, as far as where the volume shows tells; the
  ///   passphrase is not tried again then.
  /// - Throws: `.invalid` without a passphrase for an encrypted volume, `.unauthenticated` for a wrong one.
  func connect(
    _ id: QualifiedID, _ connection: NodeConnection, isRepeat: (Presence) throws -> Bool
  ) async throws -> NodeSource {
    let backend = registry.backend(of: id)
    guard try await backend.encryption(of: id.native) != nil else {
      return try await backend.connect(id.native, connection)
    }
    guard let text = connection.secrets.reveal("passphrase"), !text.isEmpty else {
      throw StorageError.invalid("volume \(id) is encrypted: the secret 'passphrase' is required")
    }
    let passphrase = try Passphrase(text)
    let source = try await backend.connect(id.native, connection)
    guard case .block(let device) = source else {
      throw StorageError.failed("volume \(id) is encrypted and not a device")
    }
    let readOnly = try connection.readOnly || BlockDevice.isReadOnly(device)
    return .block(device: try await open(id, device, passphrase, readOnly: readOnly, backend, isRepeat))
  }

  /// - Returns: the device on top.
  private func open(
    _ id: QualifiedID, _ device: String, _ passphrase: Passphrase, readOnly: Bool, _ backend: any Backend,
    _ isRepeat: (Presence) throws -> Bool
  ) async throws -> String {
    let state = try await backend.formatState(id.native)
    // Open before its record is clean: a death in the middle of making it.
    if state != .encrypting, let opened = try registry.opened(id, over: device) {
      guard try readOnly || !BlockDevice.isReadOnly(opened.path) else {
        throw StorageError.precondition("volume \(id) is open read-only")
      }
      // Open for another place, or left so by a server that died: whoever asks must know the passphrase all the same.
      if try !isRepeat(Presence(of: .block(device: opened.path))) { try await encryption.test(device, passphrase) }
      return opened.path
    }
    let name = EncryptedName.of(id)
    // Left by a process that was killed, over this device or one that was the volume's before; refused while in use.
    if let stale = try MappedDevice.named(name) { try await encryption.close(stale.name, over: device) }
    if let holder = try BlockDevice.holders(of: device).first {
      throw StorageError.precondition("\(device) is held by \(holder), which is not ours")
    }
    switch try EncryptionDecision.decide(state: state, content: try DeviceContent.probe(device), readOnly: readOnly) {
    case .open: try await encryption.open(device, as: name, passphrase, readOnly: readOnly)
    case .make: try await make(id, device, name, passphrase, isRecorded: state != .unrecorded, backend)
    }
    guard let opened = try registry.opened(id, over: device) else {
      throw StorageError.failed("\(device) was opened, yet no device is on top of it")
    }
    return opened.path
  }

  private func make(
    _ id: QualifiedID, _ device: String, _ name: String, _ passphrase: Passphrase, isRecorded: Bool,
    _ backend: any Backend
  ) async throws {
    if isRecorded { try await backend.setFormatState(.encrypting, for: id.native) }
    try await encryption.format(device, openingAs: name, passphrase)
    if isRecorded { try await backend.setFormatState(.unformatted, for: id.native) }
    CrashPoint.luksRecorded.reached()
  }

  /// Takes a volume away that shows nowhere any more; succeeds when it is not connected or unknown.
  /// - Throws: `.precondition` while it is still mounted somewhere.
  func disconnect(_ id: QualifiedID) async throws {
    let backend = registry.backend(of: id)
    guard let source = try await backend.connected(id.native) else { return }
    if case .block(let device) = source, try await backend.encryption(of: id.native) != nil {
      try await closeEncrypted(id, over: device)
    } else {
      try release(id, source)
    }
    try await backend.disconnect(id.native)
  }

  private func closeEncrypted(_ id: QualifiedID, over device: String) async throws {
    if let opened = try registry.opened(id, over: device) {
      try release(id, .block(device: opened.path))
      if try !BlockDevice.isReadOnly(opened.path) { try BlockDevice.flush(opened.path) }
    }
    let name = EncryptedName.of(id)
    guard try MappedDevice.over(device).contains(where: { $0.name == name }) else { return }
    try await encryption.close(name, over: device)
  }

  private func release(_ id: QualifiedID, _ source: NodeSource) throws {
    let presence = try Presence(of: source)
    if let place = try presence.mounts.first?.mountPoint ?? presence.deviceBinds().first?.path {
      throw StorageError.precondition("volume \(id) is still mounted at \(place)")
    }
    for loop in try presence.idleReadOnlyLoops() { try loop.detach() }
  }

  /// Lets the connected volume show its present size, which is returned: that of its own device, of which an encrypted
  /// one keeps 16 MiB for itself.
  func refreshSize(_ id: QualifiedID) async throws -> ByteCount {
    let backend = registry.backend(of: id)
    let size = try await backend.refreshSize(id.native)
    guard try await backend.encryption(of: id.native) != nil,
      case .block(let device)? = try await backend.connected(id.native),
      let opened = try registry.opened(id, over: device)
    else { return size }
    if try BlockDevice.size(opened.path) + Encryption.headerSize < BlockDevice.size(device) {
      try await encryption.resize(opened.name, over: device)
    }
    return size
  }
}
