import Host
import Storage

/// Space that was promised to one volume in the making.
struct Reservation: Sendable {
  let space: Space
  let size: ByteCount
}

extension DeviceClass {
  var space: Space {
    switch layout {
    case .thin(let pool): .pool(LVPath(volumeGroup, pool))
    case .linear, .striped, .raid1: .group(volumeGroup)
    }
  }

  /// Sizes of this class' volumes are multiples of this many bytes.
  func sizeUnit(in group: VolumeGroup) -> Int64 {
    if case .striped(let stripes) = layout { group.extentSize.bytes * Int64(stripes) } else { group.extentSize.bytes }
  }

  /// What LVM can make one volume of, if nobody else takes any.
  ///
  /// Thin: the ratio's part of the pool, less the whole sizes of all that is in it, ours or not. Striped and mirrored:
  /// what the physical volume that has the least of those needed can give to each; LVM might find more in pieces.
  /// - Throws: `.exhausted` with the reason when there cannot be any.
  func space(in group: VolumeGroup) throws -> ByteCount {
    guard group.isWritable else { throw StorageError.exhausted("volume group \(group.name) is read-only or exported") }
    if let missing = group.missingDevices.first {
      throw StorageError.exhausted("volume group \(group.name) lacks a physical volume (\(missing.name))")
    }
    // A volume with our tags takes about one KiB of LVM's metadata, which are written whole.
    guard group.metadataFree >= .kib(4) || group.metadataSize == .zero else {
      throw StorageError.exhausted("the metadata area of volume group \(group.name) is full")
    }
    let free = group.physicalVolumes.filter(\.isAllocatable).map(\.free).sorted(by: >)
    switch layout {
    case .thin(let name): return try space(inPool: name, of: group)
    case .linear: return free.reduce(.zero, +)
    case .striped(let count):
      guard count > 0, free.count >= count else { return .zero }
      return ByteCount(free[count - 1].bytes * Int64(count))
    case .raid1(let count):
      // Each copy has one extent of metadata beside it.
      guard count > 0, free.count >= count else { return .zero }
      return max(.zero, free[count - 1] - group.extentSize)
    }
  }

  private func space(inPool name: String, of group: VolumeGroup) throws -> ByteCount {
    guard let pool = group.volumes[name], pool.layout == .thinPool else {
      throw StorageError.exhausted("there is no thin pool \(group.name)/\(name)")
    }
    let offered = (Double(pool.size.bytes) * overprovision).rounded(.down)
    let whole = offered >= Double(Int64.max) ? Int64.max : Int64(offered)
    let promised = group.volumes.values.filter { $0.poolName == name && $0.layout == .thin }
      .reduce(Int64(0)) { $0 + $1.size.bytes }
    return ByteCount(max(0, whole - promised))
  }
}

extension LVMBackend {
  package func capacity(_ query: CapacityQuery) async throws -> Capacity {
    try checkPrepared()
    let isServed = query.topology.map { wanted in topologies.isEmpty || topologies.contains { $0.satisfies(wanted) } }
    let isHonoured = query.capabilities.allSatisfy { accessModes(for: $0.type).contains($0.mode) }
    guard isServed ?? true, isHonoured else { return .none }
    let deviceClass = try deviceClass(for: query.parameters)
    let group = try await lvm.group(deviceClass.volumeGroup)
    let reserved = state.withLock { $0.reservations[deviceClass.space] ?? 0 }
    guard let space = try? space(of: deviceClass, in: group) else { return .none }
    let left = max(0, space.bytes - reserved)
    let unit = deviceClass.sizeUnit(in: group)
    let usable = ByteCount(left / unit * unit)
    let minimum = minimumSize(for: query.capabilities, query.parameters, atLeast: configuration.minimumSize)
    return Capacity(
      available: usable, maximumVolume: min(usable, configuration.maximumSize),
      minimumVolume: minimum.rounded(upTo: unit))
  }

  /// - Throws: `.exhausted`, also while the pool takes no writes.
  private func space(of deviceClass: DeviceClass, in group: VolumeGroup) throws -> ByteCount {
    if case .pool(let pool) = deviceClass.space, let status = try DeviceMapper.poolStatus(pool),
      status.mode != .writable
    {
      throw StorageError.exhausted("thin pool \(pool) takes no writes (\(status.mode))")
    }
    return try deviceClass.space(in: group)
  }

  /// Promises `size` bytes until `release`, which comes after the volume is in LVM's metadata: no two volumes that are
  /// made at the same time are promised the same space.
  /// - Throws: `.exhausted`.
  func reserve(_ size: ByteCount, in deviceClass: DeviceClass) async throws -> Reservation {
    while true {
      let releases = state.withLock { $0.releases }
      let group = try await lvm.group(deviceClass.volumeGroup)
      let space = try space(of: deviceClass, in: group)
      let made = try state.withLock { state -> Reservation? in
        // What was released meanwhile is not in the group as we saw it.
        guard state.releases == releases else { return nil }
        let left = max(0, space.bytes - (state.reservations[deviceClass.space] ?? 0))
        guard size.bytes <= left else {
          throw StorageError.exhausted("\(size.bytes) bytes are wanted and \(left) are left in \(deviceClass.name)")
        }
        state.reservations[deviceClass.space, default: 0] += size.bytes
        return Reservation(space: deviceClass.space, size: size)
      }
      if let made { return made }
    }
  }

  func release(_ reservation: Reservation) {
    state.withLock { state in
      state.releases += 1
      let left = (state.reservations[reservation.space] ?? 0) - reservation.size.bytes
      state.reservations[reservation.space] = left > 0 ? left : nil
    }
  }
}
