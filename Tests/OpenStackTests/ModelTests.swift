import HTTP
import JSONText
import Testing

@testable import OpenStack

@Suite struct `Requests to Keystone` {
  private let url = ServiceAddress("https://k.example/identity/v3")

  @Test(arguments: [
    (
      Identity.password(user: .id("u"), password: Secret("p")), Scope.projectID("x") as Scope?,
      #"{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"u","password":"p"}}},"#
        + #""scope":{"project":{"id":"x"}}}}"#
    ),
    (
      .password(user: .name("u", domain: .name("D")), password: Secret("p")), .project("t", domain: .id("d")),
      #"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"u","domain":{"name":"D"},"#
        + #""password":"p"}}},"scope":{"project":{"name":"t","domain":{"id":"d"}}}}}"#
    ),
    (
      .applicationCredential(.id("i"), user: nil, secret: Secret("s")), nil,
      #"{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"i","secret":"s"}}}}"#
    ),
    (
      .applicationCredential(.name("n"), user: .id("u"), secret: Secret("s")), nil,
      #"{"auth":{"identity":{"methods":["application_credential"],"application_credential":"#
        + #"{"name":"n","secret":"s","user":{"id":"u"}}}}}"#
    ),
    (
      .token(Secret("t")), .trust("r"),
      #"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"OS-TRUST:trust":{"id":"r"}}}}"#
    ),
    (
      .token(Secret("t")), .domain(.id("d")),
      #"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"domain":{"id":"d"}}}}"#
    ),
  ])
  func `each identity and scope has its body`(identity: Identity, scope: Scope?, body: String) throws {
    let request = Authentication.request(identity, scope: scope, identityURL: try #require(url))
    #expect(request.url == "https://k.example/identity/v3/auth/tokens")
    #expect(request.method == .post)
    #expect(request.body.map { String(decoding: $0, as: UTF8.self) } == body)
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0.0), ("2026-11-21T17:00:00.500000Z", 1_795_280_400.5),
    ("2024-02-29T12:00:00.000000", 1_709_208_000), ("2000-01-01T01:00:00+01:00", 946_684_800),
  ])
  func `times of services are read, in UTC where they do not say`(text: String, seconds: Double) {
    #expect(ServiceTime.seconds(rfc3339: text) == seconds)
  }

  @Test(arguments: ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00x"])
  func `what is no time is none`(text: String) { #expect(ServiceTime.seconds(rfc3339: text) == nil) }

  @Test func `HTTP dates are read, and times are written as filters want them`() {
    #expect(ServiceTime.seconds(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
    #expect(ServiceTime.seconds(httpDate: "Sunday, 06-Nov-94 08:49:37 GMT") == nil)
    for seconds in [0, 784_111_777, 951_782_400, 1_795_280_400] {
      #expect(ServiceTime.seconds(rfc3339: ServiceTime.text(seconds: seconds)) == Double(seconds))
    }
  }
}

@Suite struct `Catalogues and microversions` {
  private let catalogue = ServiceCatalogue([
    .init(type: "volume", interface: "public", region: "A", url: "http://c/v1/p"),
    .init(type: "volumev2", interface: "public", region: "A", url: "http://c/v2/p"),
    .init(type: "volumev3", interface: "public", region: "A", url: "http://c/v3/p"),
    .init(type: "volumev3", interface: "internal", region: "A", url: "http://c.inner/v3/p"),
    .init(type: "compute", interface: "public", region: "A", url: "http://n.a/v2.1"),
    .init(type: "compute", interface: "public", region: "B", url: "http://n.b/v2.1"),
  ])

  @Test func `an address is picked by type, interface and region`() throws {
    #expect(try catalogue.address(of: .blockStorage, interface: .public, region: nil).description == "http://c/v3/p")
    #expect(
      try catalogue.address(of: .blockStorage, interface: .internal, region: "A").description == "http://c.inner/v3/p")
    #expect(try catalogue.address(of: .compute, interface: .public, region: "B").description == "http://n.b/v2.1")
  }

  @Test func `what the catalogue lacks is told with what it has`() {
    #expect(
      problem { _ = try catalogue.address(of: .compute, interface: .public, region: nil) }
        == "Nova: the catalogue has regions A, B: region_name must say which")
    #expect(
      problem { _ = try catalogue.address(of: .compute, interface: .admin, region: "A") }
        == "Nova: the catalogue has no admin address of Nova in region A, only compute public A, compute public B")
    #expect(
      problem { _ = try catalogue.address(of: .sharedFileSystem, interface: .public, region: nil) }
        == "Manila: the catalogue has no public address of Manila")
  }

  @Test(arguments: [
    ("http://c:8776/v3/p1", "http://c:8776/v3", "http://c:8776/v3/p1"),
    ("http://c/volume/v3/p1/", "http://c/volume/v3", "http://c/volume/v3/p1"),
    ("http://c/volume", "http://c/volume/v3", "http://c/volume/v3/p"),
    ("http://c/volume/v3", "http://c/volume/v3", "http://c/volume/v3/p"),
  ])
  func `versions are asked at the version's address, requests go below the project's`(
    url: String, root: String, base: String
  ) throws {
    let address = try #require(ServiceAddress(url))
    #expect(ServiceEndpoint.root(address, .blockStorage).description == root)
    let old = MicroversionRange(minimum: Microversion(3, 0), maximum: Microversion(3, 66))
    #expect(ServiceEndpoint(address: address, range: old).base(.blockStorage, projectID: "p").description == base)
  }

  @Test(arguments: ["ftp://c/v3", "http://", "http://u@c/", "http://c/../x", "http://c/v3?x", "c", "http://c/ä"])
  func `what is no address of a service is refused`(text: String) { #expect(ServiceAddress(text) == nil) }

  @Test func `the newest that both sides want is agreed on`() {
    let range = MicroversionRange(minimum: Microversion(3, 0), maximum: Microversion(3, 59))
    func choose(_ floor: Int, _ wish: Int, _ limit: Microversion? = nil) -> Microversion? {
      MicroversionNeed(floor: Microversion(3, floor), wish: Microversion(3, wish)).choose(from: range, atMost: limit)
    }
    #expect(choose(44, 44) == Microversion(3, 44))
    #expect(choose(44, 66) == Microversion(3, 59))
    #expect(choose(60, 66) == nil)
    #expect(choose(44, 59, Microversion(3, 50)) == Microversion(3, 50))
    #expect(choose(51, 59, Microversion(3, 50)) == nil)
    #expect(Microversion("3.9").map { $0 < Microversion(3, 10) } == true)
    #expect(Microversion("3") == nil)
    #expect(Microversion("3.x") == nil)
  }
}

@Suite struct `Errors and repeats` {
  private func error(_ status: Int, _ body: String, headers: [HTTPHeader] = [], secrets: [String] = [])
    -> OpenStackError
  {
    OpenStackError(
      .blockStorage, HTTPResponse(status: status, headers: headers, body: Array(body.utf8)), secrets: secrets)
  }

  @Test(arguments: [
    (400, #"{"badRequest": {"code": 400, "message": "Invalid input"}}"#, "Invalid input", OpenStackError.Kind.invalid),
    (
      400, #"{"badRequest": {"message": "Invalid volume: Volume x status must be available"}}"#,
      "Invalid volume: Volume x status must be available", .wrongState
    ),
    (401, #"{"error": {"code": 401, "title": "Unauthorized", "message": "no"}}"#, "no", .unauthenticated),
    (
      413,
      #"{"overLimit": {"message": "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota"}}"#,
      "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota", .quota
    ),
    (413, #"{"overLimitFault": {"message": "slow down"}}"#, "slow down", .busyService),
    (404, #"{"itemNotFound": {"message": "Volume x could not be found."}}"#, "Volume x could not be found.", .notFound),
    (
      403, #"{"forbidden": {"message": "The maximum allowed number of disk devices (2)"}}"#,
      "The maximum allowed number of disk devices (2)", .tooManyDevices
    ),
    (409, #"{"conflictingRequest": {"message": "locked"}}"#, "locked", .conflict),
    (406, #"{"errors": [{"detail": "Version 3.99 is not supported"}]}"#, "Version 3.99 is not supported", .unsupported),
    (502, "<html><h1>Bad Gateway</h1></html>", "the proxy has no answer of the service", .busyService),
    (500, "", "the service failed", .failed), (418, "[1", "the service answered with an error", .failed),
    (400, #"{"x": {"message": "a\u0000\u001b[31m\nb"}}"#, "a [31m b", .invalid),
  ])
  func `each form of error is read`(status: Int, body: String, message: String, kind: OpenStackError.Kind) {
    #expect(error(status, body).message == message)
    #expect(error(status, body).kind == kind)
  }

  @Test func `an error tells the request's id and no secret`() {
    let answer = error(
      400, #"{"badRequest": {"message": "Invalid value 'top-secret'"}}"#,
      headers: [HTTPHeader("X-Openstack-Request-Id", "req-1")], secrets: ["top-secret"])
    #expect("\(answer)" == "Cinder: Invalid value '***' (400, req-1)")
    #expect(error(400, #"{"b": {"message": "the 12"}}"#, secrets: ["12"]).message == "the request is not valid")
    let long = error(400, #"{"b": {"message": ""# + String(repeating: "x", count: 9000) + #""}}"#)
    #expect(long.message.utf8.count < 400)
  }

  private func pause(
    _ outcome: Result<HTTPResponse, HTTPError>, repeatable: Bool, attempt: Int = 1
  ) -> Duration? {
    RetryPolicy().pause(after: outcome, isRepeatable: repeatable, attempt: attempt, random: 0)
  }

  @Test func `what may be done twice is repeated, the rest only when nothing was done`() {
    let half = RetryPolicy().pause * 0.5
    for failure in [HTTPError.unreachable("x"), .timedOut(sent: false)] {
      #expect(pause(.failure(failure), repeatable: false) == half)
    }
    for failure in [HTTPError.cut("x"), .timedOut(sent: true)] {
      #expect(pause(.failure(failure), repeatable: false) == nil)
      #expect(pause(.failure(failure), repeatable: true) == half)
    }
    for failure in [HTTPError.untrusted("x"), .badAddress("x"), .badAnswer("x")] {
      #expect(pause(.failure(failure), repeatable: true) == nil)
    }
    for status in [502, 503, 504, 429] {
      #expect(pause(.success(HTTPResponse(status)), repeatable: true) == half)
      #expect(pause(.success(HTTPResponse(status)), repeatable: false) == nil)
    }
    for status in [200, 400, 401, 403, 404, 409, 500] {
      #expect(pause(.success(HTTPResponse(status)), repeatable: true) == nil)
    }
    #expect(pause(.failure(.unreachable("x")), repeatable: true, attempt: 3) == half * 4)
    #expect(pause(.failure(.unreachable("x")), repeatable: true, attempt: 5) == nil)
  }

  @Test func `a service that asks to wait is obeyed, but a quota does not come back`() {
    for status in [413, 429, 503] {
      let answer = HTTPResponse(status, headers: ["Retry-After": "7"])
      #expect(pause(.success(answer), repeatable: false) == .seconds(7))
    }
    let date = HTTPResponse(
      503, headers: ["Date": "Sun, 06 Nov 1994 08:49:30 GMT", "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"])
    #expect(pause(.success(date), repeatable: false) == .seconds(7))
    let quota = HTTPResponse(413, ["overLimit": ["message": "Quota exceeded"]], headers: ["Retry-After": "0"])
    #expect(pause(.success(quota), repeatable: false) == nil)
  }
}
