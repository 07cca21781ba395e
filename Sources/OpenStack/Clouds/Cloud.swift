import HTTP

/// The name of one configured cloud, as clouds.yaml or the driver's configuration has it.
package struct CloudName: Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String
  package init(_ rawValue: String) { self.rawValue = rawValue }
  package var description: String { rawValue }
}

/// All that is needed to use one cloud: where its Keystone is, as whom, and which of its endpoints.
package struct Cloud: Sendable, Hashable {
  package var name: CloudName
  /// Keystone's address as it was configured, with or without `/v3`.
  package var authURL: String
  package var identity: Identity
  /// nil: the scope comes with the identity (application credentials, trusts, ready tokens).
  package var scope: Scope?
  /// nil: the catalogue must know one region only.
  package var region: String?
  package var interface: Interface
  package var tls: TLSOptions
  /// Addresses that are used instead of the catalogue's.
  package var endpoints: [ServiceKind: String]
  /// The greatest microversions that may be used (`*_default_microversion`).
  package var microversions: [ServiceKind: Microversion]

  package init(
    name: CloudName, authURL: String, identity: Identity, scope: Scope? = nil, region: String? = nil,
    interface: Interface = .public, tls: TLSOptions = TLSOptions(), endpoints: [ServiceKind: String] = [:],
    microversions: [ServiceKind: Microversion] = [:]
  ) {
    self.name = name
    self.authURL = authURL
    self.identity = identity
    self.scope = scope
    self.region = region
    self.interface = interface
    self.tls = tls
    self.endpoints = endpoints
    self.microversions = microversions
  }

  /// Which of the addresses of a service.
  package enum Interface: String, Sendable, Hashable {
    case `public`, `internal`, admin
  }
}

/// How a user proves who it is (Identity API v3, "Authentication and token management").
package enum Identity: Sendable, Hashable {
  case password(user: User, password: Secret)
  /// - Parameter user: whose it is, when it is told by name.
  case applicationCredential(Name, user: User?, secret: Secret)
  case token(Secret)

  /// What names an object: its id, or its name within something larger.
  package enum Name: Sendable, Hashable {
    case id(String)
    case name(String)
  }

  package enum User: Sendable, Hashable {
    case id(String)
    case name(String, domain: Name)
  }

  /// The texts that no message may hold.
  package var secrets: [String] {
    switch self {
    case .password(_, let secret), .applicationCredential(_, _, let secret), .token(let secret): [secret.reveal()]
    }
  }
}

/// What a token is good for.
package enum Scope: Sendable, Hashable {
  case projectID(String)
  case project(String, domain: Identity.Name)
  case domain(Identity.Name)
  case trust(String)
  case system
}
