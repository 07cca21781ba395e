import Glibc
import Testing

extension Conformance {
  /// `stowage check`: whether this host can serve a configuration.
  @Suite struct HostCheck {
    private func check(_ arguments: [String] = []) async throws -> (status: Int32, output: String) {
      let endpoint = "unix:///tmp/stow-check-\(getpid()).sock"
      return try await Program.run([Server.binary, "check", "--endpoint", endpoint] + arguments)
    }

    private static var pool: [String] { ["--volume-group", VolumeGroup.name, "--thin-pool", VolumeGroup.pool] }

    /// Calls `body` with a fresh directory.
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
      let directory = "/tmp/stow-check-\(getpid())"
      Files.makeDirectory(directory)
      let result: Result<Void, any Error>
      do { result = .success(try await body(directory)) } catch { result = .failure(error) }
      _ = try await Program.run(["rm", "-rf", directory])
      try result.get()
    }

    @Test func `nothing fails on a host that is ready`() async throws {
      try await withDirectory { directory in
        let (status, output) = try await check(
          Backend.underTest == .lvm ? Self.pool : ["--data-directory", directory])
        #expect(status == 0, "\(output)")
        #expect(!output.contains("fail "), "\(output)")
      }
    }

    @Test func `what is wrong fails, with what to do about it`() async throws {
      try await withDirectory { directory in
        let nothing = try await check()
        #expect(nothing.status == 1 && nothing.output.contains("backends"), "\(nothing.output)")

        try Files.write("backends:\n  - {name: a, type: unheard-of}\n", to: directory + "/bad.yaml")
        let bad = try await check(["--config", directory + "/bad.yaml", "--json"])
        #expect(bad.status == 1 && bad.output.contains(#""level": "fail""#), "\(bad.output)")
        #expect(bad.output.contains("unheard-of"), "\(bad.output)")

        try Files.write("not a directory", to: directory + "/file")
        let file = try await check(["--data-directory", directory + "/file"])
        #expect(file.status == 1 && file.output.contains("-> "), "\(file.output)")

        #expect(try await check(["--no-such-flag"]).status == 2)
      }
    }

    @Test(.onlyFor(.lvm, "volume groups are looked at where there is LVM"))
    func `a group, a pool or a disk that is not there is told by its name`() async throws {
      try await withDirectory { directory in
        let group = try await check(["--volume-group", "no-such-group", "--thin-pool", "thin"])
        #expect(group.status == 1 && group.output.contains("there is no volume group no-such-group"), "\(group.output)")
        let pool = try await check(["--volume-group", VolumeGroup.name, "--thin-pool", "no-such-pool"])
        #expect(pool.status == 1 && pool.output.contains("there is no thin pool"), "\(pool.output)")
        let file = directory + "/wide.yaml"
        try Files.write(
          "backends: [{name: l, type: lvm, classes: [{name: w, volumeGroup: \(VolumeGroup.name), layout: striped, "
            + "stripes: 128}]}]\n", to: file)
        let wide = try await check(["--config", file])
        #expect(wide.status == 1 && wide.output.contains("needs 128 physical volumes"), "\(wide.output)")
      }
    }

    @Test(.onlyFor(.lvm, "volume groups are looked at where there is LVM"))
    func `a metadata area that fills up is warned of`() async throws {
      #expect(try await !check(Self.pool).output.contains("KiB"))
      let tags = (0..<300).map { "x\($0 + 1000)" + String(repeating: "y", count: 995) }
      func change(_ verb: String) async throws {
        let (status, output) = try await Program.run(
          ["vgchange"] + tags.flatMap { [verb, $0] } + [VolumeGroup.name])
        try #require(status == 0, "\(output)")
      }
      try await change("--addtag")
      let full = try await check(Self.pool)
      try await change("--deltag")
      #expect(full.status == 0 && full.output.contains("% of the room that there is for it"), "\(full.output)")
    }
  }
}
