import ArgumentParser
import CSI
import Glibc
import Testing

@testable import CSIClient

/// The request that a command line makes, as JSON.
private func request(_ arguments: String..., environment: [String: String] = [:]) throws -> JSON {
  func make(_ command: some RPCCommand) throws -> JSON { try command.request(environment: environment).json }
  let command = try CSICommand.parseAsRoot(arguments)
  guard let rpc = command as? any RPCCommand else { throw ValidationError("\(type(of: command)) is no RPC") }
  return try make(rpc)
}

@Suite struct `Command lines` {
  @Test func `every RPC of the protocol has exactly one sub-command`() {
    let commands = CSICommand.groups.flatMap(\.subcommands).compactMap { $0 as? any RPCCommand.Type }
    let paths = commands.map { command in
      func path<C: RPCCommand>(_: C.Type) -> String { C.method.path }
      return path(command)
    }
    #expect(paths.sorted() == allMethods.map(\.path).sorted())
    let names = CSICommand.groups.flatMap(\.subcommands).map { $0.configuration.commandName ?? "" }
    #expect(Set(names).count == names.count && !names.contains(""))
  }

  @Test func `every sub-command explains itself and names its RPC`() {
    for command in CSICommand.groups.flatMap(\.subcommands) {
      #expect(!command.configuration.abstract.isEmpty, "\(command)")
      #expect(command.configuration.discussion.contains("RPC: csi.v1."), "\(command)")
    }
  }

  @Test func `create-volume says all that it can`() throws {
    let json = try request(
      "create-volume", "data", "--size", "1GiB", "--limit", "2GiB", "--fs", "xfs", "--mode", "RWX", "--mount-flag",
      "noatime", "--mount-group", "1000", "--param", "backend=fast", "--param", "a=b=c", "--mutable-param", "iops=5",
      "--from-snapshot", "s1", "--topology", "d/node=n1,d/zone=z")
    #expect(
      try CreateVolumeRequest(json: json)
        == CreateVolumeRequest(
          name: "data", capacityRange: .init(requiredBytes: 1 << 30, limitBytes: 2 << 30),
          volumeCapabilities: [
            .init(
              accessType: .mount(.init(fsType: "xfs", mountFlags: ["noatime"], volumeMountGroup: "1000")),
              accessMode: .init(mode: .multiNodeMultiWriter))
          ], parameters: ["backend": "fast", "a": "b=c"],
          volumeContentSource: .init(type: .snapshot(.init(snapshotID: "s1"))),
          accessibilityRequirements: .init(
            requisite: [.init(segments: ["d/node": "n1", "d/zone": "z"])],
            preferred: [.init(segments: ["d/node": "n1", "d/zone": "z"])]),
          mutableParameters: ["iops": "5"]))
  }

  @Test func `what is not said stays unset`() throws {
    let json = try request("create-volume", "data")
    #expect(
      json.text
        == #"{"name":"data","volume_capabilities":[{"mount":{},"access_mode":{"mode":"SINGLE_NODE_WRITER"}}]}"#)
    #expect(try request("list-volumes").text == "{}")
    #expect(try request("probe").text == "{}")
  }

  @Test(arguments: [
    (["stage", "v", "--staging", "/s", "--block", "--publish-context", "a=b"], "staging_target_path"),
    (["unstage", "v", "--staging", "/s"], "staging_target_path"),
    (["publish", "v", "--target", "/t", "--read-only"], "readonly"),
    (["unpublish", "v", "--target", "/t"], "target_path"),
    (["node-expand", "v", "--path", "/t", "--size", "2GiB"], "capacity_range"),
    (["stats", "v", "--path", "/t"], "volume_path"),
    (["create-snapshot", "s", "--volume", "v"], "source_volume_id"),
    (["create-group-snapshot", "g", "v1", "v2"], "source_volume_ids"),
    (["changed-blocks", "a", "b", "--from", "1MiB"], "starting_offset"),
    (["allocated-blocks", "a", "--max", "5"], "max_results"),
    (["controller-publish", "v", "n"], "node_id"),
    (["capacity", "--param", "a=b"], "parameters"),
  ])
  func `flags arrive in their fields`(arguments: [String], field: String) throws {
    let command = try CSICommand.parseAsRoot(arguments)
    let rpc = try #require(command as? any RPCCommand)
    func make(_ command: some RPCCommand) throws -> JSON { try command.request(environment: [:]).json }
    #expect(try make(rpc)[field] != nil)
  }

  @Test(arguments: [
    ["create-volume"], ["create-volume", "a", "--size", "10G"], ["create-volume", "a", "--param", "novalue"],
    ["create-volume", "a", "--block", "--fs", "ext4"],
    ["create-volume", "a", "--from-snapshot", "s", "--from-volume", "v"],
    ["create-volume", "a", "--mode", "sometimes"], ["stage", "v"], ["probe", "--timeout", "soon"],
    ["capacity", "--topology", "a=b", "--topology", "c=d"], ["no-such-command"], ["call"], ["call", "Probe", "--list"],
    ["probe", "--output", "xml"],
  ])
  func `contradictions and nonsense are usage errors`(arguments: [String]) {
    let error = #expect(throws: (any Error).self) { try CSICommand.parseAsRoot(arguments) }
    if let error { #expect(CSICommand.exitCode(for: error) == .validationFailure) }
  }

  @Test func `keys that stand twice are refused`() {
    #expect(throws: ValidationError.self) { try request("create-volume", "a", "--param", "k=1", "--param", "k=2") }
  }
}

@Suite struct Secrets {
  private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
    var template = Array("/tmp/stowage-secrets.XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    _ = write(descriptor, text, text.utf8.count)
    close(descriptor)
    try body(path)
  }

  private func secrets(_ arguments: [String], environment: [String: String] = [:]) throws -> [String: String] {
    let command = try #require(try CSICommand.parseAsRoot(["delete-volume", "v"] + arguments) as? DeleteVolume)
    return try command.request(environment: environment).secrets.reveal()
  }

  @Test func `secrets come from a YAML or JSON file`() throws {
    try withFile("user: me\npassword: \"p w\"\n") { path in
      let found = try secrets(["--secrets", path])
      #expect(found == ["user": "me", "password": "p w"])
    }
    try withFile(#"{"user": "me"}"#) { path in
      let found = try secrets([], environment: ["STOWAGE_CSI_SECRETS_FILE": path])
      #expect(found == ["user": "me"])
    }
    #expect(try secrets([]) == [:])
  }

  @Test func `a file that is no mapping of texts is refused without showing it`() throws {
    for text in ["- hunter2\n", "a: [hunter2]\n", "hunter2\n", "a: {b: hunter2}\n"] {
      try withFile(text) { path in
        #expect { try secrets(["--secrets", path]) } throws: { !"\($0)".contains("hunter2") }
      }
    }
  }

  @Test func `secrets are refused in the request on the command line`() throws {
    let call = try #require(
      try CSICommand.parseAsRoot(["call", "DeleteVolume", #"{"volume_id":"v","secrets":{"a":"b"}}"#]) as? Call)
    #expect(throws: ValidationError.self) {
      try call.request(for: Call.method(named: "DeleteVolume"), environment: [:])
    }
  }

  @Test func `call puts secrets only where the RPC takes them`() throws {
    try withFile("a: b\n") { path in
      let environment = ["STOWAGE_CSI_SECRETS_FILE": path]
      let call = try #require(try CSICommand.parseAsRoot(["call", "x"]) as? Call)
      let delete = try call.request(for: Call.method(named: "DeleteVolume"), environment: environment)
      #expect(delete == ["secrets": ["a": "b"]])
      #expect(try call.request(for: Call.method(named: "ListVolumes"), environment: environment) == .object([]))
    }
  }
}

@Suite struct `Names of RPCs` {
  @Test(arguments: [
    "CreateVolume", "createvolume", "Controller/CreateVolume", "csi.v1.Controller/CreateVolume",
    "/csi.v1.Controller/CreateVolume",
  ])
  func `an RPC is found by any end of its path`(name: String) throws {
    #expect(try Call.method(named: name).path == "/csi.v1.Controller/CreateVolume")
  }

  @Test(arguments: ["Volume", "Nothing", ""])
  func `half a name is no name`(name: String) {
    #expect(throws: ValidationError.self) { try Call.method(named: name) }
  }
}
