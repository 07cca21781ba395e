import Configuration
import HTTP
import Storage
import Testing

@testable import OpenStack

@Suite struct `cinder-csi's cloud.conf` {
  private func conf(_ texts: String...) throws -> CloudConf {
    try CloudConf(files: texts.enumerated().map { ("f\($0)", Array($1.utf8)) })
  }

  private func clouds(_ conf: CloudConf, yaml: String = "") throws -> CloudConfiguration {
    try conf.configuration { file in
      try CloudConfiguration.load(environment: ["HOME": "/h"], cloudsFile: file) { path in
        path == file ?? "/h/.config/openstack/clouds.yaml" ? Array(yaml.utf8) : nil
      }
    }
  }

  @Test func `sections, files, quotes and comments are read as git-config does, and the later value counts`() throws {
    var file = INIFile()
    let text = """
      ; comment
      [Global]
      Username = "a \\"b\\" # c" ; rest
      password=p#no
      flag
      long = one \\
      two
      [Global "Second"] # note
      username = x
      [global]
      username = y
      """
    try file.read(Array(text.utf8))
    #expect(
      file.sections[.init(name: "global", subsection: "")]
        == ["username": "y", "password": "p", "flag": "true", "long": "one two"])
    #expect(file.sections[.init(name: "global", subsection: "Second")] == ["username": "x"])
    try file.read(Array("[Global]\nusername = \"  z  \"\n".utf8))
    #expect(file.sections[.init(name: "global", subsection: "")]?["username"] == "  z  ")
  }

  @Test(arguments: ["key = v", "[Global", "[Global]\n= w3", "[Global]\nw3 x", "[Global]\na = \"w3", "[G]\na = \\w3"])
  func `malformed lines are told by number and not by content`(text: String) {
    let message = problem { _ = try conf(text) }
    #expect(message?.hasPrefix("f0:") == true)
    #expect(message?.contains("w3") == false)
  }

  @Test func `Global becomes a cloud`() throws {
    let conf = try conf(
      """
      [Global]
      auth-url = https://k/v3
      username = u
      password = p1
      domain-name = D
      tenant-name = t
      region = R
      os-endpoint-type = internalURL
      ca-file = /ca
      tls-insecure = true
      kubeconfig-path = /x
      [Global "two"]
      auth-url = http://k2/v3
      trustee-id = te
      trustee-password = tp
      trust-id = tr
      [BlockStorage]
      node-volume-attach-limit = 20
      ignore-volume-az = yes
      bs-version = v3
      [Metadata]
      search-order = metadataService, configDrive
      request-timeout = 5s
      """, "[Global]\npassword = p2\n")
    let configuration = try clouds(conf)
    let cloud = try configuration.cloud(CloudName("default"))
    #expect(cloud.identity == .password(user: .name("u", domain: .name("D")), password: Secret("p2")))
    #expect(cloud.scope == .project("t", domain: .name("D")))
    #expect(cloud.interface == .internal)
    #expect(cloud.tls == TLSOptions(authorityFile: "/ca", isInsecure: true))
    let second = try configuration.cloud(CloudName("two"))
    #expect(second.identity == .password(user: .id("te"), password: Secret("tp")))
    #expect(second.scope == .trust("tr"))
    #expect(conf.blockStorage.nodeVolumeAttachLimit == 20)
    #expect(conf.blockStorage.ignoreVolumeAZ)
    #expect(conf.metadata.searchOrder == [.metadataService, .configDrive])
    #expect(conf.metadata.requestTimeout == .seconds(5))
    #expect(conf.ignored == ["BlockStorage: bs-version", "Global: kubeconfig-path"])
  }

  @Test func `use-clouds takes what cloud.conf does not say from clouds.yaml`() throws {
    let yaml = "clouds: {prod: {region_name: A, auth: {auth_url: 'http://k', user_id: u, password: p, project_id: x}}}"
    let text = "[Global]\nuse-clouds = true\ncloud = prod\nclouds-file = /c.yaml\nregion = B\n"
    let cloud = try clouds(try conf(text), yaml: yaml).cloud(CloudName("default"))
    #expect(cloud.region == "B")
    #expect(cloud.identity == .password(user: .id("u"), password: Secret("p")))
    #expect(problem { _ = try clouds(try conf("[Global]\nuse-clouds = true\n")) }?.contains("cloud") == true)
  }
}

@Suite struct `Credentials of a StorageClass` {
  private let full = [
    "os-authURL": "https://k/v3", "os-userName": "u", "os-password": "w3", "os-domainName": "D",
    "os-projectName": "t", "os-region": "R", "os-certAuthority": "PEM",
  ]

  @Test func `nothing, a name, keys of manila-csi and a whole clouds.yaml are told apart`() throws {
    #expect(try CloudChoice(secrets: .none) == .standard)
    #expect(try CloudChoice(secrets: Secrets(["other": "x"])) == .standard)
    #expect(try CloudChoice(secrets: Secrets(["cloud": "two"])) == .configured(CloudName("two")))
    guard case .own(let cloud) = try CloudChoice(secrets: Secrets(full)) else {
      Issue.record("no cloud of its own")
      return
    }
    #expect(cloud.identity == .password(user: .name("u", domain: .name("D")), password: Secret("w3")))
    #expect(cloud.tls.authority == "PEM")
    #expect(cloud.region == "R")
    let document = "clouds: {a: {auth: {auth_url: 'http://a', token: t}}, b: {auth: {auth_url: 'http://b', token: t}}}"
    guard case .own(let b) = try CloudChoice(secrets: Secrets(["clouds.yaml": document, "cloud": "b"])) else {
      Issue.record("no cloud of its own")
      return
    }
    #expect(b.authURL == "http://b")
  }

  @Test(arguments: [
    ["clouds.yaml": "clouds: {a: {}, b: {}}"], ["clouds.yaml": "clouds: {a: {auth_type: w3}}"],
    ["clouds.yaml": "w3"], ["cloud": "x", "os-authURL": "http://w3"], ["os-authURL": "http://k", "os-password": "w3"],
  ])
  func `secrets that make no sense are refused without their values`(secrets: [String: String]) {
    let message = problem { _ = try CloudChoice(secrets: Secrets(secrets)) }
    #expect(message != nil)
    #expect(message?.contains("w3") == false)
  }

  @Test(arguments: ["os-certAuthorityPath", "os-clientKeyPath", "os-cloudsFile", "os-useClouds"])
  func `a secret names no file of the driver's host`(key: String) {
    var secrets = full
    secrets[key] = key == "os-useClouds" ? "true" : "/etc/shadow"
    #expect(problem { _ = try CloudChoice(secrets: Secrets(secrets)) }?.hasPrefix(key) == true)
    let document = "clouds: {a: {cacert: /etc/shadow, auth: {auth_url: 'http://a', token: t}}}"
    #expect(problem { _ = try CloudChoice(secrets: Secrets(["clouds.yaml": document])) }?.hasPrefix("cacert") == true)
  }
}
