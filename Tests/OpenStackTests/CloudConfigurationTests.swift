import Configuration
import HTTP
import Testing

@testable import OpenStack

/// clouds.yaml and its companions as texts.
private func load(
  _ files: [String: String], environment: [String: String] = ["HOME": "/root"]
) throws -> CloudConfiguration {
  try CloudConfiguration.load(environment: environment) { path in files[path].map { Array($0.utf8) } }
}

func problem(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch { return "\(error)" }
}

@Suite struct `Clouds of clouds.yaml` {
  static let places = ["/root/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml"]
  static let password = """
    clouds:
      prod:
        region_name: RegionOne
        interface: internal
        verify: no
        cacert: /etc/ca.pem
        volume_default_microversion: "3.59"
        compute_endpoint_override: https://nova.example/v2.1
        auth:
          auth_url: https://keystone.example:5000/v3
          username: csi
          password: top-secret
          project_name: k8s
          user_domain_name: Users
          project_domain_id: default
    """

  @Test func `a cloud with a password is read whole`() throws {
    let clouds = try load([Self.places[1]: Self.password])
    let cloud = try clouds.cloud(try #require(clouds.defaultCloud))
    #expect(
      cloud
        == Cloud(
          name: CloudName("prod"), authURL: "https://keystone.example:5000/v3",
          identity: .password(user: .name("csi", domain: .name("Users")), password: Secret("top-secret")),
          scope: .project("k8s", domain: .id("default")), region: "RegionOne", interface: .internal,
          tls: TLSOptions(authorityFile: "/etc/ca.pem", isInsecure: true),
          endpoints: [.compute: "https://nova.example/v2.1"], microversions: [.blockStorage: Microversion(3, 59)]))
    #expect(clouds.files == [Self.places[1]])
  }

  @Test func `secure.yaml lies over clouds.yaml, and the user's files are found before the system's`() throws {
    let open = "clouds: {a: {auth: {auth_url: 'http://k/v3', user_id: u, project_id: p, password: old}}}"
    let clouds = try load([
      Self.places[0]: open, Self.places[1]: "clouds: {other: {}}",
      "/etc/openstack/secure.yaml": "clouds: {a: {auth: {password: new}}}",
    ])
    #expect(clouds.names == [CloudName("a")])
    let identity = Identity.password(user: .id("u"), password: Secret("new"))
    #expect(try clouds.cloud(CloudName("a")).identity == identity)
  }

  @Test func `files and the cloud that the environment names count, and must exist`() throws {
    let two = "clouds: {a: {}, b: {}}"
    #expect(try load([Self.places[0]: two]).defaultCloud == nil)
    let environment = ["HOME": "/root", "OS_CLIENT_CONFIG_FILE": "/x.yaml", "OS_CLOUD": "b"]
    #expect(try load(["/x.yaml": two], environment: environment).defaultCloud == CloudName("b"))
    #expect(problem { _ = try load([:], environment: environment) } == "/x.yaml: there is no such file")
    #expect(try load([:]).names.isEmpty)
  }

  @Test func `the current directory is not searched`() throws {
    var asked: [String] = []
    _ = try CloudConfiguration.load(environment: ["HOME": "/root"]) { path in
      asked.append(path)
      return nil
    }
    #expect(asked.contains("/root/.config/openstack/clouds.yaml"))
    #expect(asked.contains("/etc/openstack/secure.yaml"))
    #expect(asked.allSatisfy { $0.hasPrefix("/") })
  }

  @Test func `a profile lies below the cloud`() throws {
    let vendors = """
      public-clouds:
        v:
          auth: {auth_url: 'http://v/v3', user_domain_id: d}
          regions: [R1, {name: R2, values: {interface: admin}}]
      """
    let mine = "clouds: {a: {profile: v, region_name: R2, auth: {username: u, password: p, project_id: q}}}"
    let files = [Self.places[0]: mine, "/etc/openstack/clouds-public.yaml": vendors]
    let cloud = try load(files).cloud(CloudName("a"))
    #expect(cloud.authURL == "http://v/v3")
    #expect(cloud.region == "R2")
    #expect(cloud.interface == .admin)
    let lost = problem { _ = try load([Self.places[0]: mine]).cloud(CloudName("a")) }
    #expect(lost == "cloud a: profile names nothing in clouds-public.yaml; known are none")
  }

  @Test(arguments: [
    (
      """
      auth_type: v3applicationcredential,
      auth: {auth_url: 'http://k', application_credential_id: i, application_credential_secret: s}
      """,
      Identity.applicationCredential(.id("i"), user: nil, secret: Secret("s")), nil as Scope?
    ),
    (
      """
      auth: {auth_url: 'http://k', application_credential_name: n, user_id: u, application_credential_secret: s,
        project_id: x}
      """,
      .applicationCredential(.name("n"), user: .id("u"), secret: Secret("s")), nil
    ),
    ("auth_type: token, auth: {auth_url: 'http://k', token: t}", .token(Secret("t")), nil),
    (
      "auth_type: v3token, auth: {auth_url: 'http://k', token: t, project_id: p}", .token(Secret("t")), .projectID("p")
    ),
    (
      "auth: {auth_url: 'http://k', user_id: u, password: w, trust_id: r}",
      .password(user: .id("u"), password: Secret("w")), .trust("r")
    ),
    (
      "auth: {auth_url: 'http://k', username: u, password: w, domain_name: D}",
      .password(user: .name("u", domain: .name("D")), password: Secret("w")), .domain(.name("D"))
    ),
  ])
  func `each way to prove who one is has its fields`(text: String, identity: Identity, scope: Scope?) throws {
    let cloud = try load([Self.places[0]: "clouds: {a: {\(text)}}"]).cloud(CloudName("a"))
    #expect(cloud.identity == identity)
    #expect(cloud.scope == scope)
  }

  @Test(arguments: [
    ("auth: {auth_url: 'http://k', username: u, password: w3, project_id: p}", "user_domain_name"),
    ("auth: {user_id: u, password: w3, project_id: p}", "auth_url"),
    ("auth: {auth_url: 'http://me:w3@k', user_id: u, password: w3, project_id: p}", "auth_url"),
    ("auth: {auth_url: 'http://k', user_id: u, password: [w3], project_id: p}", "password"),
    ("auth: {auth_url: 'http://k', user_id: u, password: w3}", "project_name"),
    ("auth_type: w3", "auth_type"), ("auth: w3", "auth"),
    ("verify: w3, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}", "verify"),
    ("cert: /c, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}", "cert and key"),
    ("cacert: w3, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}", "cacert"),
    ("interface: w3, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}", "interface"),
    (
      "volume_api_version: 2, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}",
      "volume_api_version"
    ),
    (
      "volume_default_microversion: w3, auth: {auth_url: 'http://k', user_id: u, password: w3, project_id: p}",
      "volume_default_microversion"
    ),
    ("auth: {auth_url: 'http://k', token: \"w3\\r\\nX: y\"}", "token"),
  ])
  func `what is wrong is told by its key and never by its value`(text: String, key: String) throws {
    let clouds = try load([Self.places[0]: "clouds: {a: {\(text)}}"])
    let message = try #require(problem { _ = try clouds.cloud(CloudName("a")) })
    #expect(message.contains(key))
    #expect(!message.contains("w3"))
  }

  @Test func `a cloud that is no good does not spoil the others`() throws {
    let text = "clouds: {bad: {auth_type: x}, good: {auth: {auth_url: 'http://k', token: t}}}"
    let clouds = try load([Self.places[0]: text])
    #expect(try clouds.cloud(CloudName("good")).identity == .token(Secret("t")))
    #expect(problem { _ = try clouds.cloud(CloudName("bad")) }?.hasPrefix("cloud bad: auth_type") == true)
  }

  @Test func `no rendering of a cloud shows its password`() throws {
    let cloud = try load([Self.places[1]: Self.password]).cloud(CloudName("prod"))
    var dumped = ""
    dump(cloud, to: &dumped)
    for text in ["\(cloud)", String(reflecting: cloud), dumped] { #expect(!text.contains("top-secret")) }
    #expect(cloud.identity.secrets == ["top-secret"])
  }
}
