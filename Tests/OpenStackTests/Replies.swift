import HTTP
import JSONText

@testable import OpenStack

/// The ordinary replies of a cloud: recordings with other ids, states and times in them.
enum Replies {
  /// The one that the recorded token is for. Cinder's recorded address does not have it, and from 3.67 needs it not.
  static let project = "391f79518e334651937a6ddbec2f5824"
  static let volumes = "/v3/volumes"

  static func token(_ number: Int = 1, lifetime: Int = 3600) throws -> HTTPResponse {
    let start = 1_795_280_400
    let token = try Fields(Recording.body("keystone_token"), path: "").object("token").json.setting([
      "issued_at": .string(ServiceTime.text(seconds: start) + ".000000Z"),
      "expires_at": .string(ServiceTime.text(seconds: start + lifetime) + ".000000Z"),
    ])
    return HTTPResponse(201, ["token": token], headers: ["X-Subject-Token": "token-\(number)"])
  }

  static func versions(_ maximum: String? = nil) throws -> HTTPResponse {
    guard let maximum else { return try Recording("cinder_versions").response }
    let versions = try Fields(Recording.body("cinder_versions"), path: "").list("versions")
    return HTTPResponse(200, ["versions": .array(versions.map { $0.json.setting(["version": .string(maximum)]) })])
  }

  static func volume(_ id: String, _ status: String = "available") throws -> JSON {
    try Fields(Recording.body("volume"), path: "").object("volume").json.setting([
      "id": .string(id), "status": .string(status),
    ])
  }

  static func volumes(_ volumes: [JSON]) -> HTTPResponse {
    HTTPResponse(200, ["volumes": .array(volumes)], headers: ["Date": "Sat, 21 Nov 2026 17:00:00 GMT"])
  }

  static let cloud = Cloud(
    name: CloudName("test"), authURL: "http://k/v3",
    identity: .password(user: .id("u1"), password: Secret("top-secret")), scope: .projectID(project))
}

/// A service's part of a test: `nil` leaves the request to the ordinary replies.
func service(
  tokens: Counter = Counter(), _ special: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse?
) -> RecordingService {
  RecordingService { request in
    if let answer = try await special(request) { return answer }
    if request.url == "http://k/v3/auth/tokens" { return try Replies.token(tokens.next()) }
    if request.url == "http://c/v3/" { return try Replies.versions() }
    if request.path.contains("/volumes/detail") { return Replies.volumes([]) }
    return try Recording("volume_missing").response
  }
}

extension RetryPolicy {
  /// The same decisions, and hardly a pause.
  static var quick: RetryPolicy {
    var policy = RetryPolicy()
    policy.pause = .milliseconds(1)
    policy.longestPause = .milliseconds(4)
    return policy
  }
}
