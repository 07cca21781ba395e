import Glibc
import Storage
import Testing

@testable import Configuration

@Suite struct `Configuration sources` {
  private func read(_ text: String) throws -> Configuration {
    var configuration = Configuration()
    try configuration.apply(file: Array(text.utf8), source: "f.yaml")
    return configuration
  }

  private func problem(_ text: String) -> String {
    do {
      _ = try read(text)
      return "none"
    } catch { return "\(error)" }
  }

  @Test func `every key of the file arrives`() throws {
    let configuration = try read(
      """
      driverName: disk.example.org
      mode: node
      nodeID: worker-1
      maxVolumesPerNode: 64
      endpoint: unix:///csi/csi.sock
      httpEndpoint: "[::1]:9808"
      socketMode: 0600
      logFormat: json
      logLevel: debug
      grace: 5
      allowedPaths: [/var/lib/kubelet, /mnt]
      advertise113: true
      threads: 8
      ephemeralLimit: 4GiB
      backends:
        - name: fast
          type: file
          directory: /srv/fast
          overprovision: 2.5
          defaultSize: 2GiB
          minimumSize: 8MiB
          maximumSize: 1TiB
          defaultFilesystem: xfs
          directIO: false
        - name: slow
          type: file
          directory: /srv/slow
      """)
    #expect(configuration.driverName == "disk.example.org")
    #expect(configuration.mode == .node)
    #expect(configuration.nodeID == "worker-1")
    #expect(configuration.maxVolumesPerNode == 64)
    #expect(configuration.endpoint == "unix:///csi/csi.sock")
    #expect(configuration.httpEndpoint == "[::1]:9808")
    #expect(configuration.socketMode == 0o600)
    #expect(configuration.logFormat == .json)
    #expect(configuration.logLevel == .debug)
    #expect(configuration.grace == 5)
    #expect(configuration.allowedPaths == ["/var/lib/kubelet", "/mnt"])
    #expect(configuration.advertise113)
    #expect(configuration.threads == 8)
    #expect(configuration.ephemeralLimit == .gib(4))
    #expect(configuration.backends.map(\.name.rawValue) == ["fast", "slow"])
    guard case .file(let fast) = configuration.backends[0].kind else { return }
    #expect(fast.directory == "/srv/fast")
    #expect(fast.overprovision == 2.5)
    #expect(fast.defaultSize == .gib(2))
    #expect(fast.minimumSize == .mib(8))
    #expect(fast.maximumSize == .tib(1))
    #expect(fast.defaultFilesystem == .xfs)
    #expect(!fast.directIO)
  }

  @Test(arguments: [
    ("mode: node\ndriverNam: x\n", "f.yaml:2: unknown key \"driverNam\"; did you mean driverName?"),
    ("zzzzzzzzzz: 1\n", "f.yaml:1: unknown key \"zzzzzzzzzz\"; known are advertise113,"),
    ("mode: both\n", "f.yaml:1: mode must be one of controller, node, all, not \"both\""),
    ("\ngrace: soon\n", "f.yaml:2: grace must be a whole number from 0 to 3600, not \"soon\""),
    ("threads: 0\n", "f.yaml:1: threads must be a whole number from 1 to 256, not \"0\""),
    ("driverName: Upper.case\n", "f.yaml:1: driverName must be lower-case"),
    ("socketMode: 0999\n", "f.yaml:1: socketMode must be octal"),
    ("advertise113: yes\n", "f.yaml:1: advertise113 must be true or false, not \"yes\""),
    ("nodeID:\n", "f.yaml:1: nodeID must be one value, not nothing"),
    ("nodeID: [a]\n", "f.yaml:1: nodeID must be one value, not a list"),
    ("allowedPaths: /a\n", "f.yaml:1: allowedPaths must be a list of texts, not a value"),
    ("allowedPaths:\n  - /a\n  - ../b\n", "f.yaml:1: allowedPaths must be an absolute path"),
    ("httpEndpoint: nine\n", "f.yaml:1: httpEndpoint must be host:port"),
    ("- a\n", "f.yaml:1: the file must be a mapping"),
    ("backends: []\n", "f.yaml:1: backends must be a list with at least one backend"),
    ("backends:\n  - type: file\n", "f.yaml:2: a backend needs a name"),
    ("backends:\n  - name: Bad\n", "f.yaml:2: name must be a lower-case letter"),
    ("backends:\n  - name: a\n", "f.yaml:2: backend \"a\" needs a type: file"),
    ("backends:\n  - name: a\n    type: nfs\n", "f.yaml:3: there is no backend type \"nfs\""),
    ("backends:\n  - name: a\n    type: file\n", "f.yaml:2: backend \"a\" needs a directory"),
    (
      "backends:\n  - name: a\n    type: file\n    directory: /x\n    defaultSze: 1GiB\n",
      "f.yaml:5: unknown key \"defaultSze\"; did you mean defaultSize?"
    ),
    (
      "backends:\n  - name: a\n    type: file\n    directory: /x\n    defaultSize: 10G\n",
      "f.yaml:5: defaultSize must be a size such as 10GiB"
    ),
    (
      "backends:\n  - {name: a, type: file, directory: /x}\n  - {name: a, type: file, directory: /y}\n",
      "f.yaml:3: two backends are named \"a\""
    ),
    (
      "backends:\n  - {name: a, type: file, directory: /x, defaultSize: 2GiB, maximumSize: 1GiB}\n",
      "f.yaml:2: backend \"a\" must have minimumSize <= defaultSize <= maximumSize"
    ),
  ])
  func `mistakes are told with file and line`(text: String, message: String) {
    #expect(problem(text).hasPrefix(message), "\(problem(text))")
  }

  @Test func `the environment wins over the file and flags win over both`() throws {
    var configuration = try read("mode: node\nnodeID: a\nlogLevel: error\n")
    try configuration.apply(environment: ["STOWAGE_NODE_ID": "b", "STOWAGE_MODE": "controller", "STOWAGE_PORT": "x"])
    try configuration.set("mode", to: "all", source: "--mode")
    #expect(configuration.mode == .all)
    #expect(configuration.nodeID == "b")
    #expect(configuration.logLevel == .error)
  }

  @Test func `errors name the variable or the flag`() {
    var configuration = Configuration()
    #expect { try configuration.apply(environment: ["STOWAGE_THREADS": "many"]) } throws: {
      "\($0)" == "STOWAGE_THREADS: threads must be a whole number from 1 to 256, not \"many\""
    }
    #expect { try configuration.set("mode", to: "x", source: "--mode") } throws: { "\($0)".hasPrefix("--mode: mode ") }
  }

  @Test func `paths in the environment are separated by colons and empty variables are not set`() throws {
    var configuration = Configuration()
    try configuration.apply(environment: ["STOWAGE_ALLOWED_PATHS": "/a:/b", "STOWAGE_MODE": ""])
    #expect(configuration.allowedPaths == ["/a", "/b"])
    #expect(configuration.mode == .all)
  }

  @Test func `a data directory is a file backend, but not beside other backends`() throws {
    let configuration = try Configuration.load(
      file: nil, quickStart: .init(dataDirectory: "/srv/x"), environment: [:])
    #expect(
      configuration.backends == [
        BackendConfiguration(
          name: try BackendName(validating: "file"), kind: .file(try FileBackendConfiguration(directory: "/srv/x")))
      ])
    #expect(throws: ConfigurationError.self) {
      try Configuration.load(file: nil, quickStart: .init(dataDirectory: "relative"), environment: [:])
    }
  }

  @Test func `a missing file is an error that names it`() {
    #expect { try Configuration.load(file: "/no/such/file.yaml", environment: [:]) } throws: {
      "\($0)" == "/no/such/file.yaml: cannot open it: No such file or directory"
    }
  }

  @Test func `every key and variable is documented`() throws {
    let path = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/docs/configuration.md"
    let text = String(decoding: try Configuration.contents(of: path), as: UTF8.self)
    for setting in Configuration.settings {
      #expect(text.contains("`\(setting.key)`"), "\(setting.key)")
      if let variable = setting.environment { #expect(text.contains("`\(variable)`"), "\(variable)") }
    }
    for setting in FileBackendConfiguration.settings { #expect(text.contains("`\(setting.key)`"), "\(setting.key)") }
    for setting in LVMSettings.settings { #expect(text.contains("`\(setting.key)`"), "\(setting.key)") }
    for setting in DeviceClassSettings.settings { #expect(text.contains("`\(setting.key)`"), "\(setting.key)") }
    for variable in [
      Configuration.fileVariable, Configuration.dataDirectoryVariable, Configuration.volumeGroupVariable,
      Configuration.thinPoolVariable,
    ] { #expect(text.contains("`\(variable)`"), "\(variable)") }
  }
}

@Suite struct Sizes {
  @Test(
    arguments: [
      ("10GiB", 10 << 30), ("10Gi", 10 << 30), ("1 MiB", 1 << 20), ("4096", 4096), ("4096B", 4096), ("5MB", 5_000_000),
      ("2TiB", 2 << 40), ("0", 0),
    ] as [(String, Int64)])
  func `sizes are read`(text: String, bytes: Int64) {
    #expect(ByteCount(parsing: text) == ByteCount(bytes))
  }

  @Test(arguments: ["", "GiB", "-1", "1.5GiB", "10G", "10gib", "9999999999TiB", "99999999999999999999", "1GiB ", "+5"])
  func `what is no size is refused`(text: String) {
    #expect(ByteCount(parsing: text) == nil)
  }
}
