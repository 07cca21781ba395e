import HTTP
import Testing

@Suite struct RequestTests {
  @Test func `a request renders without its query, its headers and its body`() {
    let request = HTTPRequest(
      .post, "http://127.0.0.1/v3/auth?secret=a", headers: [HTTPHeader("X-Auth-Token", "b-secret")],
      body: Array("c-secret".utf8))
    var dumped = ""
    dump(request, to: &dumped)
    for text in ["\(request)", String(reflecting: request), dumped, "\(request.headers)"] {
      #expect(!text.contains("secret"))
    }
    #expect("\(request)" == "POST http://127.0.0.1/v3/auth")
  }

  @Test func `headers are found whatever their case`() {
    let response = HTTPResponse(status: 201, headers: [HTTPHeader("x-subject-TOKEN", "t")])
    #expect(response[header: "X-Subject-Token"] == "t")
    #expect(response[header: "X-Other"] == nil)
  }
}
