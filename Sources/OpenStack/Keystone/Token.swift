import HTTP
import JSONText

/// A token, what it is for, and where the services are.
package struct Token: Sendable {
  package let secret: Secret
  package let projectID: String?
  package let userID: String?
  package let catalogue: ServiceCatalogue
  /// When it was received, by the clock of this machine that nobody sets.
  let received: ContinuousClock.Instant
  /// How long it is good, from when it was received.
  package let lifetime: Duration

  /// Reads Keystone's answer to `POST /v3/auth/tokens`.
  ///
  /// The lifetime is the time between `issued_at` and `expires_at`, both by Keystone's clock: this machine's clock may
  /// be wrong. A token that was given (method `token`) keeps its old end, which is in the same two fields.
  /// - Throws: `JSONError`.
  init(_ response: HTTPResponse, received: ContinuousClock.Instant) throws {
    guard let subject = response[header: "X-Subject-Token"], !subject.isEmpty, subject.utf8.count <= 16 << 10,
      subject.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { throw JSONError("the header X-Subject-Token is missing or is no token") }
    let token = try Fields(parsing: response.body).object("token")
    guard let end = try token.time("expires_at") else { throw JSONError("missing", path: "token.expires_at") }
    let date = response[header: "Date"].flatMap { ServiceTime.seconds(httpDate: $0) }
    guard let start = try token.time("issued_at") ?? date else { throw JSONError("missing", path: "token.issued_at") }
    guard end > start else { throw JSONError("the token has ended already", path: "token.expires_at") }
    secret = Secret(subject)
    projectID = try token.optionalObject("project")?.optionalString("id")
    userID = try token.optionalObject("user")?.optionalString("id")
    catalogue = try ServiceCatalogue(token.optionalList("catalog") ?? [])
    self.received = received
    lifetime = .seconds(min(end - start, 10 * 365 * 86_400))
  }

  /// When a new one is fetched in the background: after four fifths of its life, but at least a minute before its end.
  var renewal: ContinuousClock.Instant { received + max(.zero, min(lifetime * 0.8, lifetime - .seconds(60))) }
  /// When it is not used any more: a request that is under way must still find it good.
  var end: ContinuousClock.Instant { received + max(lifetime * 0.5, lifetime - .seconds(15)) }
}
