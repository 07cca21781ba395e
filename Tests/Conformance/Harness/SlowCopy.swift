import CSI

/// Copies that are under way for as long as a scenario needs.
extension Server {
  /// Runs `body` while no copy can end at once. The file backend's take their time by themselves (`slowSource`). Copies
  /// of logical volumes are snapshots; they wait for the group as long as an administrator's command has it.
  ///
  /// - Parameter body: told how to wait until a copy is under way.
  func holdingBack<R>(_ body: (_ begun: () async throws -> Void) async throws -> R) async throws -> R {
    switch Backend.underTest {
    case .file:
      let before = Files.tree(data)
      return try await body { try await waitUntil("the copy begins") { Files.tree(data) != before } }
    case .lvm:
      let lock = try VolumeGroup.Lock()
      defer { lock.release() }
      return try await body { try await waitUntil("the copy waits for the group") { lock.isWanted } }
    }
  }

  /// A raw volume whose copy takes a good while where blocks are copied: full of data.
  func slowSource(_ byte: UInt8 = 0xC3) async throws -> Volume {
    let node = try await nodeVolume("slow", bytes: mib(128), .block())
    let chunk = [UInt8](repeating: byte, count: 8 << 20)
    try await node.whilePublished { path in
      for part in 0..<16 { try Files.write(chunk, to: path, at: part << 23) }
    }
    return node.volume
  }

  /// Copies `source` and runs `body` while the copy is under way for certain.
  func copy(_ request: CreateVolumeRequest, meanwhile body: () async throws -> Void) async throws -> Volume {
    let copying = try await holdingBack { begun in
      let copying = Task { try await create(request) }
      try await begun()
      try await body()
      return copying
    }
    return try await copying.value
  }
}
