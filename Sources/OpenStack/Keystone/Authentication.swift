import HTTP
import JSONText

/// Requests to Keystone (Identity API v3).
package enum Authentication {
  /// `POST /v3/auth/tokens`.
  /// - Parameter identityURL: the address of the version, `https://keystone.example/v3`.
  package static func request(_ identity: Identity, scope: Scope?, identityURL: ServiceAddress) -> HTTPRequest {
    HTTPRequest(
      .post, identityURL.appending("auth", "tokens").description,
      headers: [HTTPHeader("Content-Type", "application/json"), HTTPHeader("Accept", "application/json")],
      body: Array(body(identity, scope: scope).text.utf8), responseLimit: 4 << 20)
  }

  static func body(_ identity: Identity, scope: Scope?) -> JSON {
    var auth: [JSON.Member] = [JSON.Member("identity", method(identity))]
    if let scope { auth.append(JSON.Member("scope", json(scope))) }
    return ["auth": .object(auth)]
  }

  private static func method(_ identity: Identity) -> JSON {
    switch identity {
    case .password(let user, let password):
      return [
        "methods": ["password"],
        "password": ["user": .object(members(of: user) + [JSON.Member("password", .string(password.reveal()))])],
      ]
    case .applicationCredential(let name, let user, let secret):
      var members = [member(of: name), JSON.Member("secret", .string(secret.reveal()))]
      if let user { members.append(JSON.Member("user", .object(Self.members(of: user)))) }
      return ["methods": ["application_credential"], "application_credential": .object(members)]
    case .token(let token):
      return ["methods": ["token"], "token": ["id": .string(token.reveal())]]
    }
  }

  private static func json(_ scope: Scope) -> JSON {
    switch scope {
    case .projectID(let id): ["project": ["id": .string(id)]]
    case .project(let name, let domain):
      ["project": ["name": .string(name), "domain": .object([member(of: domain)])]]
    case .domain(let domain): ["domain": .object([member(of: domain)])]
    case .trust(let id): ["OS-TRUST:trust": ["id": .string(id)]]
    case .system: ["system": ["all": true]]
    }
  }

  private static func members(of user: Identity.User) -> [JSON.Member] {
    switch user {
    case .id(let id): [JSON.Member("id", .string(id))]
    case .name(let name, let domain):
      [JSON.Member("name", .string(name)), JSON.Member("domain", .object([member(of: domain)]))]
    }
  }

  private static func member(of name: Identity.Name) -> JSON.Member {
    switch name {
    case .id(let id): JSON.Member("id", .string(id))
    case .name(let name): JSON.Member("name", .string(name))
    }
  }

  /// Where version 3 is, for an address that names no version: from Keystone's answer (200 or 300) at its root.
  /// The answer's own links are not followed: behind a proxy they often name an inner host.
  static func identityURL(root: ServiceAddress, discovery: JSON) throws -> ServiceAddress {
    let list = discovery["versions"]?["values"] ?? discovery["versions"] ?? discovery["values"]
    let versions = list?.array ?? discovery["version"].map { [$0] } ?? []
    guard versions.contains(where: { $0["id"]?.string?.hasPrefix("v3") == true }) else {
      throw JSONError("no version 3 among the versions of the identity service")
    }
    return root.appending("v3")
  }
}
