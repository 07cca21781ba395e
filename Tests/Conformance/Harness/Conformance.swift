import Testing

/// The built server on a real socket, rule by rule. One server at a time: scenarios look at the host's mounts and loop
/// devices, and what they show must not depend on the load of others.
@Suite(.serialized) struct Conformance {}

/// Runs `body` with a fresh server and shows that nothing is left when it has stopped.
///
/// - Parameter filesystem: makes the data directory on a file system of this type instead of the host's own.
func withServer(
  _ options: ServerOptions = .init(), on filesystem: DataFilesystem = .host,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Server) async throws -> Void
) async throws {
  let server = try Server(options, on: filesystem)
  do {
    try await server.start()
    try await body(server)
    let left = try await server.listed()
    let status = try await server.terminate()
    #expect(status == 0, "exit status of the server; its log: \(server.log)", sourceLocation: sourceLocation)
    #expect(server.mounts == [], "mounts that are left", sourceLocation: sourceLocation)
    #expect(server.devices == [:], "devices that are left", sourceLocation: sourceLocation)
    if Backend.underTest == .lvm {
      // Nothing else takes them away: the next scenario would find them.
      #expect(left == [], "volumes and snapshots that are left", sourceLocation: sourceLocation)
    }
    await server.clean(failed: !left.isEmpty || !server.devices.isEmpty)
  } catch {
    Issue.record("log of the server: \(server.log.suffix(4000))", sourceLocation: sourceLocation)
    await server.clean(failed: true)
    throw error
  }
}

/// Asks `condition` again and again until it holds.
/// - Throws: when it does not within half a minute.
func waitUntil(_ what: String, _ condition: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + Patience.seconds(30)
  while try await !condition() {
    guard ContinuousClock.now < end else { throw GaveUp(what: what) }
    try await Task.sleep(for: .milliseconds(10))
  }
}

struct GaveUp: Error, CustomStringConvertible {
  let what: String
  var description: String { "gave up waiting until \(what)" }
}
