import Host
import Storage
import Testing

@Suite struct CommandStreamTests {
  private func script(
    _ text: String, limit: Duration = .seconds(20), _ consume: ([UInt8]) async throws -> Void
  ) async throws -> Command.Output {
    try await Command.stream(["sh", "-c", text], limit: limit, to: consume)
  }

  @Test func `a long output comes whole and in order`() async throws {
    var all: [UInt8] = []
    let output = try await script("seq 1 200000; echo oh >&2; exit 3") { all += $0 }
    #expect(output.status == .exited(3))
    #expect(output.text == "oh\n")
    #expect(String(decoding: all, as: UTF8.self) == (1...200_000).map { "\($0)\n" }.joined())
  }

  @Test func `an error of the reader ends the program and is thrown`() async throws {
    let began = ContinuousClock.now
    await #expect(throws: StorageError.busy("enough")) {
      try await script("yes") { _ in throw StorageError.busy("enough") }
    }
    #expect(.now - began < .seconds(9))
  }

  @Test func `a program that takes too long is ended`() async throws {
    let output = try await script("echo begun; sleep 60", limit: .milliseconds(300)) { _ in }
    #expect(output.status == .timedOut(after: .milliseconds(300)))
  }

  @Test func `a slow reader makes the program wait`() async throws {
    var pieces = 0
    var bytes = 0
    let output = try await script("head -c 1000000 /dev/zero") { piece in
      if pieces == 0 { try await Task.sleep(for: .milliseconds(200)) }
      pieces += 1
      bytes += piece.count
    }
    #expect(output.succeeded)
    #expect(bytes == 1_000_000)
  }

  @Test func `a program that is not there is told by name`() async {
    await #expect(throws: StorageError.failed("no-such-program is not installed; install the package p")) {
      try await Command.stream(["no-such-program"], limit: .seconds(1), package: "p") { _ in }
    }
  }
}
