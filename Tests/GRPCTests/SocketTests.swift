import Glibc
import Testing

@testable import GRPC

@Suite struct SocketTests {
  private func server(_ options: ServerOptions) -> Server {
    Server(routes: [CallTests.echo], pool: globalConcurrentExecutor, options: options)
  }

  private func options(_ directory: TemporaryDirectory, locks: String = "locks") -> ServerOptions {
    var options = ServerOptions()
    options.lockDirectory = "\(directory.path)/\(locks)"
    return options
  }

  /// What `start` says when it fails.
  private func refusal(_ options: ServerOptions, _ endpoint: Endpoint) -> String {
    do {
      try server(options).start(on: endpoint)
      return "started"
    } catch {
      return "\(error)"
    }
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode : 0
  }

  @Test func `a second server on a live socket is refused and the first serves on`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let same = refusal(options(fixture.directory), fixture.endpoint)
    #expect(same.contains("another server is listening on \(fixture.endpoint.path)"))
    #expect(same.contains("lock file"))
    // One that cannot see the lock, in another container for example, is refused because the socket answers.
    let other = refusal(options(fixture.directory, locks: "elsewhere"), fixture.endpoint)
    #expect(other == "another server is listening on \(fixture.endpoint.path)")
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `the lock knows the socket under every name of its directory`() async throws {
    let fixture = try Fixture([CallTests.echo])
    let alias = "\(fixture.directory.path)/alias"
    #expect(symlink(fixture.directory.path, alias) == 0)
    #expect(refusal(options(fixture.directory), try Endpoint(parsing: "\(alias)/csi.sock")).contains("lock file"))
    await fixture.finish()
  }

  @Test func `a socket that a dead server left is replaced`() async throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    try RawConnection.leaveStaleSocket(at: endpoint)
    #expect(mode(endpoint.path) & S_IFMT == S_IFSOCK)
    let server = server(options(directory))
    try server.start(on: endpoint)
    let client = Client(endpoint: endpoint)
    #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) == [1])
    await server.shutdown(grace: .seconds(10))
  }

  @Test func `something that is no socket is refused and left alone`() throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/file")
    close(open(endpoint.path, O_CREAT | O_WRONLY, 0o600))
    #expect(refusal(options(directory), endpoint).contains("not a socket"))
    #expect(mode(endpoint.path) & S_IFMT == S_IFREG)
    unlink(endpoint.path)
    #expect(symlink("/dev/null", endpoint.path) == 0)
    #expect(refusal(options(directory), endpoint).contains("not a socket"))
  }

  @Test func `a directory that is not there is named`() throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/missing/csi.sock")
    #expect(refusal(options(directory), endpoint).contains("\(directory.path)/missing: No such file or directory"))
  }

  @Test(arguments: [0o660, 0o600, 0o666, 0o777] as [UInt32])
  func `the socket has the configured mode, and the umask stays`(_ wanted: UInt32) async throws {
    #expect(ServerOptions().socketMode == 0o660)
    let fixture = try Fixture([CallTests.echo]) { $0.socketMode = wanted }
    #expect(mode(fixture.endpoint.path) == S_IFSOCK | wanted)
    #expect(try await fixture.call("/test.Echo/Echo", [1]) == [1])
    await fixture.finish()
  }

  @Test func `an orderly stop removes the socket, and a new server may come at once`() async throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    for _ in 0..<5 {
      let server = server(options(directory))
      try server.start(on: endpoint)
      let client = Client(endpoint: endpoint)
      #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) == [1])
      await server.shutdown(grace: .seconds(10))
      #expect(mode(endpoint.path) == 0)
    }
  }

  @Test func `nothing but the socket lies in its directory, and an orderly stop leaves no lock file`() async throws {
    let (directory, locks) = (try TemporaryDirectory(), try TemporaryDirectory())
    let server = server(options(locks))
    try server.start(on: try Endpoint(parsing: "unix:\(directory.path)/csi.sock"))
    #expect(directory.entries == ["csi.sock"])
    await server.shutdown(grace: .seconds(10))
    #expect(directory.entries == [])
    #expect(TemporaryDirectory.entries("\(locks.path)/locks") == [])
  }

  @Test func `a lock directory of somebody else is refused`() throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "\(directory.path)/csi.sock")
    #expect(symlink("/tmp", "\(directory.path)/locks") == 0)
    #expect(refusal(options(directory), endpoint).contains("is not a directory of this user"))
    var nowhere = ServerOptions()
    nowhere.lockDirectory = "/proc/stowage"
    #expect(refusal(nowhere, endpoint).contains("cannot create the lock directory /proc/stowage"))
    #expect(mode(endpoint.path) == 0)
  }

  @Test func `a path with blanks, percent signs and Unicode is served as it is written`() async throws {
    let directory = try TemporaryDirectory()
    let endpoint = try Endpoint(parsing: "unix://\(directory.path)/a b%20?#ü体.sock")
    let server = server(options(directory))
    try server.start(on: endpoint)
    #expect(mode("\(directory.path)/a b%20?#ü体.sock") & S_IFMT == S_IFSOCK)
    let client = Client(endpoint: endpoint)
    #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) == [1])
    await server.shutdown(grace: .seconds(10))
    #expect(mode(endpoint.path) == 0)
  }

  @Test func `a path of 107 bytes is served, one of 108 is refused with the reason`() async throws {
    let directory = try TemporaryDirectory()
    let longest = directory.path + "/" + String(repeating: "s", count: 107 - directory.path.utf8.count - 1)
    let server = server(options(directory))
    let endpoint = try Endpoint(parsing: "unix://\(longest)")
    try server.start(on: endpoint)
    let client = Client(endpoint: endpoint)
    #expect(try await client.unary("/test.Echo/Echo", .bytes, .bytes, [1]) == [1])
    await server.shutdown(grace: .seconds(10))
    let refused = #expect(throws: EndpointError.self) { try Endpoint(parsing: "unix://\(longest)s") }
    #expect(refused?.description.contains("has 108 bytes; a Unix socket's path may have at most 107") == true)
  }

  @Test func `a socket that the kernel refuses is an error, and gRPC core's own words go to the sink`() throws {
    let directory = try TemporaryDirectory()
    let lines = Box<[String]>([])
    CoreLog.setSink { severity, line in
      if severity == .error { lines.value += [line] }
    }
    let said = refusal(options(directory), try Endpoint(parsing: "/proc/csi.sock"))
    #expect(said.hasPrefix("cannot listen on /proc/csi.sock"))
    #expect(lines.value.contains { $0.contains("/proc/csi.sock") })
  }

  @Test func `a server starts only once`() async throws {
    let fixture = try Fixture([CallTests.echo])
    #expect(throws: EndpointError.self) { try fixture.server.start(on: fixture.endpoint) }
    await fixture.finish()
  }
}

@Suite struct EndpointTests {
  @Test(arguments: [
    ("unix:///run/csi.sock", "/run/csi.sock"), ("unix:/run/csi.sock", "/run/csi.sock"),
    ("/run/csi.sock", "/run/csi.sock"), ("unix:csi.sock", "csi.sock"), ("csi.sock", "csi.sock"),
    ("unix:///a%20b", "/a%20b"),
  ])
  func `an endpoint is read in all the usual spellings`(_ text: String, _ path: String) throws {
    #expect(try Endpoint(parsing: text).path == path)
  }

  @Test(arguments: [
    "", "unix:", "unix://", "unix://csi.sock", "tcp://127.0.0.1:10000", "http://x/y", "unix:///dir/", "/a\0b",
  ])
  func `an endpoint that is no socket's path is refused`(_ text: String) {
    #expect(throws: EndpointError.self) { try Endpoint(parsing: text) }
  }

  @Test func `lock files of different sockets have different names`() {
    #expect(SocketLock.name(for: "/a/csi.sock") != SocketLock.name(for: "/b/csi.sock"))
    #expect(SocketLock.name(for: "/a/csi.sock").hasPrefix("csi.sock-"))
  }

  @Test func `clients that ping an idle connection are not sent away`() {
    let arguments = Dictionary(uniqueKeysWithValues: ServerOptions().arguments.map { ($0.key, $0.value) })
    #expect(arguments["grpc.keepalive_permit_without_calls"] == 1)
    #expect(arguments["grpc.http2.min_ping_interval_without_data_ms"] == 5000)
    #expect(arguments["grpc.http2.max_ping_strikes"] == 0)
    #expect(arguments["grpc.max_receive_message_length"] == 4 << 20)
  }
}
