import Host
import Storage

extension LVMBackend: CloningBackend {
  /// What a new volume is to be made from.
  /// - Throws: `.notFound`, `.exhausted` when it lives on another node, `.invalid` when it is thick.
  func copyOrigin(_ source: ContentSource) async throws -> ThinOrigin {
    let (id, origin): (NativeID, Origin)
    switch source {
    case .snapshot(let snapshot): (id, origin) = (snapshot, Origin(try await existingSnapshot(snapshot)))
    case .volume(let volume):
      guard let record = try await record(volume) else {
        try checkIsHere(source: volume)
        throw StorageError.notFound("there is no volume \(volume.shortened)")
      }
      (id, origin) = (volume, Origin(record))
    }
    guard let thin = try await thinOrigin(origin, id) else {
      throw StorageError.invalid("volume \(id.shortened) is thick: only volumes in a thin pool can be copied")
    }
    return thin
  }

  /// - Throws: `.invalid` when a copy of `origin` cannot be made in the class, or not with this encryption.
  func checkCopy(
    of origin: ThinOrigin, in deviceClass: DeviceClass, encryption: VolumeEncryption?
  ) throws {
    guard case .thin(let pool) = deviceClass.layout, LVPath(deviceClass.volumeGroup, pool) == origin.pool else {
      throw StorageError.invalid(
        "the source lives in the pool \(origin.pool); device class \(deviceClass.name) is another place, and a copy "
          + "shares the pool of its source")
    }
    guard encryption == origin.encryption else {
      throw StorageError.invalid(
        "the source is \(origin.encryption == nil ? "not " : "")encrypted, and its copy cannot be otherwise")
    }
  }

  /// The format state that a copy of `origin` begins with.
  static func format(copying origin: ThinOrigin, as content: VolumeContent) -> FormatState {
    let origin = origin.origin
    // The header is copied with the rest; only whoever has the key can look below.
    if origin.encryption != nil, content == .block || origin.content == .block { return origin.format }
    guard case .filesystem(let type) = content else { return .unformatted }
    // Bytes of a raw device: only a probe can tell whether they are a file system.
    if origin.content == .block { return .unrecorded }
    // Two mounted btrfs must not have one UUID; ext4 does not mind and xfs is mounted with nouuid.
    return origin.format == .formatted && type == .btrfs ? .copied(.btrfs) : origin.format
  }

  /// Makes `record`'s volume begin as `source`: a thin snapshot, made with all its tags at once, grown to the size
  /// wanted. Until it has that size the volume does not exist for the CO; a repeat or `prepare` goes on.
  /// - Returns: the volume in its full size, not active.
  /// - Throws: `.notFound` and so on as `copyOrigin`; `.outOfRange` for a size below the source's; as `checkPool`.
  func copy(of source: ContentSource, as record: VolumeRecord, to path: LVPath) async throws -> LogicalVolume {
    let origin = try await copyOrigin(source)
    guard path.group == origin.path.group else {
      throw StorageError.invalid("the source lives in the volume group \(origin.path.group), not in \(path.group)")
    }
    guard record.wantedSize >= origin.size else {
      throw StorageError.outOfRange("\(record.wantedSize) is below the source's size of \(origin.size)")
    }
    try checkPool(origin.pool)
    CrashPoint.cloneBegun.reached()
    let order = NewLogicalVolume(
      path, size: origin.size, kind: .snapshot(of: origin.path.name), tags: record.tags(owner: configuration.name))
    let made = try await cut(origin) { try await lvm.create(order) }
    CrashPoint.cloneCopied.reached()
    guard made.size < record.wantedSize else { return made }
    try await lvm.extend(path, to: record.wantedSize)
    guard let grown = try await lvm.volume(path), grown.size >= record.wantedSize else {
      throw StorageError.failed("\(path) did not grow to \(record.wantedSize.bytes) bytes")
    }
    return grown
  }
}
