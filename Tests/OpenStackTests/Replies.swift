import HTTP
import JSONText

@testable import OpenStack

/// The ordinary replies of a cloud whose services are at `http://k`, `http://c` and `http://n`.
enum Replies {
  static let project = "0f0e0d0c0b0a09080706050403020100"

  static func token(_ number: Int = 1, lifetime: Int = 3600) -> HTTPResponse {
    let start = 1_795_280_400
    return HTTPResponse(
      201,
      [
        "token": [
          "methods": ["password"], "user": ["id": "u1", "name": "csi"], "project": ["id": .string(project)],
          "issued_at": .string(ServiceTime.text(seconds: start) + ".000000Z"),
          "expires_at": .string(ServiceTime.text(seconds: start + lifetime) + ".000000Z"),
          "catalog": [
            service("volumev3", "http://c/v3/\(project)"), service("compute", "http://n/v2.1"),
            service("identity", "http://k/v3"),
          ],
        ]
      ], headers: ["X-Subject-Token": "token-\(number)"])
  }

  private static func service(_ type: String, _ url: String) -> JSON {
    let endpoint: JSON = ["id": "e", "interface": "public", "region": "R", "region_id": "R", "url": .string(url)]
    return ["id": "s", "type": .string(type), "name": "x", "endpoints": [endpoint]]
  }

  static func versions(_ maximum: String = "3.71") -> HTTPResponse {
    let version: JSON = [
      "id": "v3.0", "status": "CURRENT", "version": .string(maximum), "min_version": "3.0",
      "links": [["rel": "self", "href": "http://inner/v3/"]],
    ]
    return HTTPResponse(200, ["versions": [version]])
  }

  static func volume(_ id: String, _ status: String = "available") -> JSON {
    ["id": .string(id), "name": "pvc-\(id)".json, "status": .string(status), "size": 1, "metadata": [:]]
  }

  static func volumes(_ volumes: [JSON]) -> HTTPResponse {
    HTTPResponse(200, ["volumes": .array(volumes)], headers: ["Date": "Sat, 21 Nov 2026 17:00:00 GMT"])
  }

  static let cloud = Cloud(
    name: CloudName("test"), authURL: "http://k/v3",
    identity: .password(user: .id("u1"), password: Secret("top-secret")), scope: .projectID(project))
}

extension String {
  fileprivate var json: JSON { .string(self) }
}

/// A service's part of a test: `nil` leaves the request to the ordinary replies.
func service(
  tokens: Counter = Counter(), _ special: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse?
) -> RecordingService {
  RecordingService { request in
    if let answer = try await special(request) { return answer }
    if request.url == "http://k/v3/auth/tokens" { return Replies.token(tokens.next()) }
    if request.url == "http://c/v3/" { return Replies.versions() }
    if request.path.hasPrefix("/v3/\(Replies.project)/volumes/detail") { return Replies.volumes([]) }
    return HTTPResponse(404, ["itemNotFound": ["code": 404, "message": "not found"]])
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
