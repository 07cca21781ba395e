import Glibc
import Storage
import Testing

@testable import Host

extension HostSuite {
  @Suite struct FreezeGuardTests {
    /// The guard program beside the test runner.
    private static let tool: String = {
      let runner = HostPath.resolve("/proc/self/exe") ?? ""
      return HostPath.parent(of: runner) + "/freeze-guard-test"
    }()

    /// Freezing what is frozen fails with EBUSY; what is not gets thawed again.
    private func isFrozen(_ path: String) async throws -> Bool {
      do {
        try await FreezeGuard.freeze([path], executable: Self.tool).thaw()
        return false
      } catch StorageError.busy {
        return true
      }
    }

    @Test(arguments: FilesystemType.allCases)
    func `a frozen file system thaws on demand, and thawing again changes nothing`(type: FilesystemType) async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(type, "m")
        let held = try await FreezeGuard.freeze([path], executable: Self.tool)
        #expect(try await isFrozen(path))
        try await held.thaw()
        #expect(try await !isFrozen(path))
        try await held.thaw()
        try write("x", to: path + "/file")
      }
    }

    @Test func `freezing several is one program and all or none`() async throws {
      try await Scratch.use { scratch in
        let (_, first) = try await scratch.mounted(.ext4, "a")
        let (_, second) = try await scratch.mounted(.xfs, "b")
        let again = try scratch.directory("again")
        try Mount.bind(first, at: again, readOnly: true)
        let cost = try await HostCounters.counting {
          try await FreezeGuard.freeze([first, second, again], executable: Self.tool).thaw()
        }
        #expect(cost.programs == 1)
        await #expect(throws: StorageError.self) {
          _ = try await FreezeGuard.freeze([first, second, scratch.file("missing")], executable: Self.tool)
        }
        await #expect(throws: StorageError.self) {
          _ = try await FreezeGuard.freeze([first, second, "/proc"], executable: Self.tool)
        }
        #expect(try await !isFrozen(first))
        #expect(try await !isFrozen(second))
      }
    }

    @Test func `a guard whose owner forgot it thaws`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.ext4, "m")
        do { _ = try await FreezeGuard.freeze([path], executable: Self.tool) }
        #expect(try await eventually { try await !isFrozen(path) })
      }
    }

    @Test func `the death of the freezing process thaws`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.ext4, "m")
        let holder = try Holder(Self.tool, path)
        #expect(holder.firstLine() == "held")
        #expect(try await isFrozen(path))
        holder.kill(SIGKILL)
        #expect(try await eventually { try await !isFrozen(path) })
        try write("x", to: path + "/file")
      }
    }

    @Test func `a killed guard leaves it frozen until thawAll`() async throws {
      try await Scratch.use { scratch in
        let (_, path) = try await scratch.mounted(.ext4, "m")
        let held = try await FreezeGuard.freeze([path], executable: Self.tool)
        // The signals that end services do not reach it, SIGKILL does.
        for number in [SIGTERM, SIGINT, SIGHUP] { kill(held.process, number) }
        #expect(try await isFrozen(path))
        kill(held.process, SIGKILL)
        await #expect(throws: StorageError.self) { try await held.thaw() }
        #expect(try await isFrozen(path))
        FreezeGuard.thawAll([path, scratch.file("missing"), "/proc"])
        #expect(try await !isFrozen(path))
        FreezeGuard.thawAll([path])
      }
    }

    @Test func `a program that is no guard is an error`() async throws {
      await #expect(throws: StorageError.self) { _ = try await FreezeGuard.freeze(["/"], executable: "/bin/true") }
      await #expect(throws: SystemCallError.self) { _ = try await FreezeGuard.freeze(["/"], executable: "/missing") }
    }
  }
}

/// A process that holds a file system frozen.
private final class Holder {
  private let process: pid_t
  private let output: Descriptor

  init(_ tool: String, _ path: String) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemCallError("pipe", errno: errno) }
    output = Descriptor(owning: ends[0])
    let writing = Descriptor(owning: ends[1])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, writing.raw, 1)
    for end in ends { posix_spawn_file_actions_addclose(&actions, end) }
    var argv: [UnsafeMutablePointer<CChar>?] = [strdup(tool), strdup("hold"), strdup(path), nil]
    defer { argv.forEach { free($0) } }
    var started: pid_t = 0
    let result = posix_spawn(&started, tool, &actions, nil, &argv, environ)
    process = started
    guard result == 0 else { throw SystemCallError("posix_spawn", path: tool, errno: result) }
  }

  deinit {
    guard process > 0 else { return }
    Glibc.kill(process, SIGKILL)
    waitpid(process, nil, 0)
  }

  func firstLine() -> String {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(output.raw, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
    return String(decoding: line, as: UTF8.self)
  }

  func kill(_ number: Int32) { Glibc.kill(process, number) }
}
