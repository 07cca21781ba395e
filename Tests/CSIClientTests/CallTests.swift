import CSI
import GRPC
import Glibc
import Host
import Testing

@testable import CSIClient

/// A real server on a real socket in a directory of its own.
private struct Fixture {
  let directory: String
  let server: Server
  let endpoint: Endpoint

  init(_ routes: [Route]) throws {
    var template = Array("/tmp/stowage-client.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Status(.internal, "mkdtemp") }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    endpoint = try Endpoint(parsing: "unix://\(directory)/csi.sock")
    var options = ServerOptions()
    options.lockDirectory = directory + "/locks"
    server = Server(routes: routes, pool: ThreadPool(name: "test", threads: 2), options: options)
    try server.start(on: endpoint)
  }

  func end() async {
    await server.shutdown(grace: .seconds(1))
    for path in ["/locks", ""] { _ = removeDirectory(directory + path) }
  }
}

/// Removes a directory with the files in it.
private func removeDirectory(_ path: String) -> Bool {
  guard let directory = opendir(path) else { return false }
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != ".", name != ".." { unlink("\(path)/\(name)") }
  }
  closedir(directory)
  return rmdir(path) == 0
}

@Suite struct `Calls over a socket` {
  private let echo: [Route] = [
    .unary(Methods.deleteVolume.path, .csi, .csi) { (request: DeleteVolumeRequest, _) -> DeleteVolumeResponse in
      guard request.secrets.reveal() == ["k": "v"] else { throw Status(.unauthenticated, "no secret") }
      return .init()
    },
    .unary(Methods.getPluginInfo.path, .csi, .csi) { (_: GetPluginInfoRequest, _) in
      GetPluginInfoResponse(name: "test", vendorVersion: "1")
    },
    .serverStream(Methods.getMetadataAllocated.path, .csi, .csi) {
      (request: GetMetadataAllocatedRequest, writer: ResponseWriter<GetMetadataAllocatedResponse>, _) in
      for index in 0..<3 {
        try await writer.write(.init(blockMetadata: [.init(byteOffset: Int64(index) * 4096, sizeBytes: 4096)]))
      }
    },
  ]

  @Test func `typed, generic and streaming calls answer`() async throws {
    let fixture = try Fixture(echo)
    let client = CSIClient(endpoint: fixture.endpoint, timeout: .seconds(20))
    #expect(try await client.call(Methods.getPluginInfo, .init()).name == "test")

    var answers: [String] = []
    try await client.call(Call.method(named: "GetPluginInfo"), json: .object([])) { answers.append($0.json.text) }
    #expect(answers == [#"{"name":"test","vendor_version":"1"}"#])

    var offsets: [Int64] = []
    try await client.stream(Methods.getMetadataAllocated, .init(snapshotID: "s")) { response in
      offsets += response.blockMetadata.map(\.byteOffset)
    }
    #expect(offsets == [0, 4096, 8192])
    client.close()
    await fixture.end()
  }

  @Test func `secrets reach the driver though no rendering shows them`() async throws {
    let fixture = try Fixture(echo)
    let client = CSIClient(endpoint: fixture.endpoint, timeout: .seconds(20))
    let json: JSON = ["volume_id": "v", "secrets": ["k": "v"]]
    try await client.call(Call.method(named: "DeleteVolume"), json: json) { _ in }
    await #expect(throws: Status(.unauthenticated, "no secret")) {
      try await client.call(Methods.deleteVolume, .init(volumeID: "v"))
    }
    client.close()
    await fixture.end()
  }

  @Test func `a request that does not fit its message is refused before it is sent`() async throws {
    let client = CSIClient(endpoint: try Endpoint(parsing: "/tmp/no-such.sock"), timeout: .seconds(20))
    await #expect(throws: JSONError.self) {
      try await client.call(Call.method(named: "DeleteVolume"), json: ["volume": "v"]) { _ in }
    }
    client.close()
  }

  @Test func `nobody at the endpoint is an exit status of its own`() async throws {
    let options = try #require(
      try CSICommand.parseAsRoot(["probe", "--endpoint", "/tmp/stowage-no-such.sock"]) as? Probe)
    let error = await #expect(throws: (any Error).self) {
      var probe = options
      try await probe.run()
    }
    if let error { #expect(CSICommand.exitCode(for: error).rawValue == ExitStatus.unreachable.rawValue) }
  }
}
