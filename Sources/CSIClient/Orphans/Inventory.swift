import CSI
import GRPC

/// What a driver holds, page by page.
struct Inventory {
  let client: CSIClient
  let secrets: SecretMap

  /// Volumes and snapshots that a cluster should know. Volumes that are published, and those that belong to one pod and
  /// are made without the cluster's knowledge, are none.
  /// - Throws: `Status`.
  func read() async throws -> [HeldObject] {
    var abilities: Set<ControllerServiceCapability.RPC.Kind> = []
    for capability in try await client.call(Methods.controllerGetCapabilities, .init()).capabilities {
      if case .rpc(let rpc)? = capability.type { abilities.insert(rpc.type) }
    }
    guard abilities.contains(.listVolumes) else { throw Status(.unimplemented, "the driver does not list its volumes") }
    let snapshots = abilities.contains(.listSnapshots) ? try await snapshots() : []
    return try await volumes() + snapshots
  }

  private func volumes() async throws -> [HeldObject] {
    try await pages { token in
      let page = try await client.call(Methods.listVolumes, ListVolumesRequest(startingToken: token))
      let objects = page.entries.compactMap { entry -> HeldObject? in
        guard let volume = entry.volume, !volume.volumeID.isEmpty, entry.status?.publishedNodeIDs.isEmpty != false,
          volume.volumeContext["csi.storage.k8s.io/ephemeral"] != "true"
        else { return nil }
        return HeldObject(.volume, volume.volumeID)
      }
      return (objects, page.nextToken)
    }
  }

  private func snapshots() async throws -> [HeldObject] {
    let all: [(id: String, group: String)] = try await pages { token in
      let page = try await client.call(
        Methods.listSnapshots, ListSnapshotsRequest(startingToken: token, secrets: secrets))
      return (page.entries.compactMap(\.snapshot).map { ($0.snapshotID, $0.groupSnapshotID) }, page.nextToken)
    }
    return HeldObject.snapshots(all)
  }

  private func pages<T>(_ page: (String) async throws -> ([T], String)) async throws -> [T] {
    var all: [T] = []
    var token = ""
    while true {
      let (items, next) = try await page(token)
      all += items
      guard !next.isEmpty else { return all }
      guard next != token else { throw Status(.internal, "the driver's listing does not come to an end") }
      token = next
    }
  }

  /// Deletes what is an orphan's.
  /// - Throws: `Status`.
  func delete(_ object: HeldObject) async throws {
    switch object.kind {
    case .volume:
      _ = try await client.call(Methods.deleteVolume, .init(volumeID: object.id, secrets: secrets))
    case .snapshot:
      _ = try await client.call(Methods.deleteSnapshot, .init(snapshotID: object.id, secrets: secrets))
    case .groupSnapshot:
      _ = try await client.call(
        Methods.deleteVolumeGroupSnapshot,
        .init(groupSnapshotID: object.id, snapshotIDs: object.members, secrets: secrets))
    }
  }
}
