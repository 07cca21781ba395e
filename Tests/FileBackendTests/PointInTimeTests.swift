import FileBackend
import Glibc
import Host
import Storage
import Synchronization
import Testing

extension FileBackendSuite {
  /// Copies of what is mounted or written to at the same time.
  @Suite struct PointInTimeTests {
    /// Formats and mounts a volume beside the backend's directory.
    private func mounted(_ backend: FileBackend, _ host: HostDirectory, _ name: String) async throws -> Volume {
      let volume = try await backend.make(name, .mib(32), mount(.ext4))
      let device = try await backend.device(volume)
      try await Filesystem.make(.ext4, on: device, options: [])
      try await backend.setFormatState(.formatted, for: volume.id)
      try show(device, host, name)
      return volume
    }

    private func show(_ device: String, _ host: HostDirectory, _ name: String) throws {
      try HostPath.createDirectory("\(host.path)/\(name)")
      try Mount.filesystem(device, at: "\(host.path)/\(name)", type: "ext4", options: [])
    }

    @Test(arguments: [FilesystemType.ext4, .xfs])
    func `mounted file systems are frozen for a snapshot, whole, and thawed`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type) { host in
        let backend = try await host.prepared()
        let a = try await mounted(backend, host, "a")
        let b = try await mounted(backend, host, "b")
        // Never synced by the test: freezing must write them out.
        try write("one", to: "\(host.path)/a/file")
        try write("two", to: "\(host.path)/b/file")
        let (group, programs, _) = try await HostCounters.counting {
          try await backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [a.id, b.id]))
        }
        #expect(programs == 1)
        let single = try await backend.createSnapshot(SnapshotSpec(name: "s", source: a.id))
        let clone = try await backend.make("k", .mib(32), mount(.ext4), from: .volume(a.id))
        // Would wait for ever were anything still frozen.
        try write("three", to: "\(host.path)/a/file")
        try write("four", to: "\(host.path)/b/file")

        let copies: [(String, ContentSource?, String)] = [
          ("ra", .snapshot(group.members[0].id), "one"), ("rb", .snapshot(group.members[1].id), "two"),
          ("rs", .snapshot(single.id), "one"), ("k", nil, "one"),
        ]
        for (name, source, expected) in copies {
          let copy = try await source == nil ? clone : backend.make(name, .mib(32), mount(.ext4), from: source)
          #expect(try await backend.formatState(copy.id) == .formatted)
          try show(try await backend.device(copy), host, name)
          #expect(try text("\(host.path)/\(name)/file") == expected)
        }
      }
    }

    @Test(arguments: [FilesystemType.ext4, .xfs])
    func `a raw device that is written to is copied only where that is sound`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type) { host in
        let backend = try await host.prepared()
        let busy = try await backend.make("busy", .mib(16))
        let idle = try await backend.make("idle", .mib(16))
        let device = try await backend.device(busy)
        _ = try await backend.device(idle)
        let writers = Writers(device, count: 4)
        await writers.started()
        // A writer that gets no turn while the blocks are shared disturbs nothing; it gets one soon.
        var refused: String?
        for number in 0..<50 where refused == nil {
          let spec = GroupSnapshotSpec(name: "g\(number)", sources: [busy.id, idle.id])
          do {
            let group = try await backend.createGroupSnapshot(spec)
            try await backend.deleteGroupSnapshot(group.id, secrets: .none)
          } catch StorageError.precondition {
            refused = spec.name
          }
        }
        #expect(try await backend.groupSnapshot(named: try #require(refused)) == nil)
        if type == .ext4 {
          await expectError("precondition") {
            _ = try await backend.createSnapshot(SnapshotSpec(name: "s", source: busy.id))
          }
          #expect(try host.leftovers() == ["volumes/busy", "volumes/idle"])
        } else {
          // Sharing blocks is atomic for one file.
          _ = try await backend.createSnapshot(SnapshotSpec(name: "s", source: busy.id))
        }
        await writers.stop()
        let group = try await backend.createGroupSnapshot(GroupSnapshotSpec(name: "g", sources: [busy.id, idle.id]))
        #expect(group.members.count == 2)
      }
    }

    @Test(arguments: [FilesystemType.ext4, .xfs])
    func `a group of raw devices keeps the order of writes`(on type: FilesystemType) async throws {
      try await HostDirectory.use(type) { host in
        let backend = try await host.prepared()
        let a = try await backend.make("a", .mib(1))
        let b = try await backend.make("b", .mib(1))
        let writer = OrderedWriter(try await backend.device(a), try await backend.device(b))
        var cut = 0
        for number in 0..<60 {
          guard
            let group = try? await backend.createGroupSnapshot(
              GroupSnapshotSpec(name: "g\(number)", sources: [a.id, b.id]))
          else { continue }
          cut += 1
          let numbers = try group.members.map { member in
            try number64("\(host.volumes)/groups/\(group.id)/\(member.id)/data")
          }
          // `a` is written first, then `b`: the snapshots must lie between two writes.
          #expect(numbers[0] == numbers[1] || numbers[0] == numbers[1] + 1, "cut \(number): \(numbers)")
        }
        await writer.stop()
        #expect(cut > 0, "no group was ever cut")
      }
    }

    private func number64(_ path: String) throws -> UInt64 {
      let file = try Descriptor(opening: path, O_RDONLY)
      var number: UInt64 = 0
      guard pread(file.raw, &number, 8, 0) == 8 else { throw SystemCallError("pread", path: path, errno: errno) }
      return number
    }

    @Test func `a copy of a btrfs volume needs an identity of its own, others do not`() async throws {
      try await HostDirectory.use(.xfs) { host in
        let backend = try await host.prepared(ratio: 20)
        for type in FilesystemType.allCases {
          let size = ByteCount.mib(300)
          let origin = try await backend.make("o-\(type)", size, mount(type))
          let fresh = try await backend.make("f-\(type)", size, mount(type), from: .volume(origin.id))
          #expect(try await backend.formatState(fresh.id) == .unformatted)
          try await backend.setFormatState(.formatted, for: origin.id)
          let snapshot = try await backend.createSnapshot(SnapshotSpec(name: "s-\(type)", source: origin.id))
          let copy = try await backend.make("c-\(type)", size, mount(type), from: .snapshot(snapshot.id))
          let expected: FormatState = type == .btrfs ? .copied(.btrfs) : .formatted
          #expect(try await backend.formatState(copy.id) == expected)
          let second = try await backend.make("d-\(type)", size, mount(type), from: .volume(copy.id))
          #expect(try await backend.formatState(second.id) == expected)
          // No file system asked for: the source's. Another one asked for: impossible.
          let unnamed = VolumeCapability(.mount(MountCapability()), .singleNodeWriter)
          let same = try await backend.make("u-\(type)", size, unnamed, from: .snapshot(snapshot.id))
          #expect(same.content == .filesystem(type))
          await expectError("invalid") {
            _ = try await backend.make("x", size, mount(type == .xfs ? .ext4 : .xfs), from: .snapshot(snapshot.id))
          }
        }
      }
    }
  }
}

/// A page-aligned buffer for direct writes.
private func withPage<T>(_ body: (UnsafeMutableRawPointer) throws -> T) rethrows -> T {
  let page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
  defer { page.deallocate() }
  memset(page, 0, 4096)
  return try body(page)
}

/// O_DIRECT (fcntl.h), which is shown to GNU sources only.
private let direct: Int32 = 0o40000

/// Threads that write to a device without end, past its cache: a write is always under way.
private final class Writers: Sendable {
  private let isStopped = Atomic<Bool>(false)
  private let written = Atomic<Int>(0)
  private let ended = Atomic<Int>(0)
  private let count: Int

  init(_ device: String, count: Int) {
    self.count = count
    for index in 0..<count {
      let started = Host.Thread.start(name: "writer") { [self] in
        let descriptor = open(device, O_WRONLY | O_CLOEXEC | direct)
        withPage { page in
          while !isStopped.load(ordering: .acquiring), pwrite(descriptor, page, 4096, off_t(index) * 4096) == 4096 {
            written.add(1, ordering: .relaxed)
          }
        }
        close(descriptor)
        ended.add(1, ordering: .releasing)
      }
      #expect(started)
    }
  }

  func started() async { while written.load(ordering: .relaxed) < count * 4 { await Task.yield() } }

  func stop() async {
    isStopped.store(true, ordering: .releasing)
    while ended.load(ordering: .acquiring) < count { await Task.yield() }
  }
}

/// Writes 1 to the first device, then to the second one, then 2 to the first one, and so on, with pauses in which both
/// are still.
private final class OrderedWriter: Sendable {
  private let isStopped = Atomic<Bool>(false)
  private let ended = Atomic<Bool>(false)

  init(_ first: String, _ second: String) {
    let started = Host.Thread.start(name: "writer") { [self] in
      let descriptors = [first, second].map { (path: String) in open(path, O_WRONLY | O_CLOEXEC | direct) }
      withPage { page in
        var number: UInt64 = 0
        while !isStopped.load(ordering: .acquiring) {
          number += 1
          page.storeBytes(of: number, as: UInt64.self)
          for descriptor in descriptors where pwrite(descriptor, page, 4096, 0) != 4096 { break }
          if number % 64 == 0 { usleep(20_000) }
        }
      }
      descriptors.forEach { close($0) }
      ended.store(true, ordering: .releasing)
    }
    #expect(started)
  }

  func stop() async {
    isStopped.store(true, ordering: .releasing)
    while !ended.load(ordering: .acquiring) { await Task.yield() }
  }
}
