import HTTP
import JSONText

/// A request to a service as a value, and how its answer is read.
package struct ServiceRequest<Answer: Sendable>: Sendable {
  /// For the metrics: `cinder_volume_create`.
  package let name: String
  package let service: ServiceKind
  package let method: HTTPRequest.Method
  /// The parts of the path after the endpoint's address, not yet encoded.
  package let path: [String]
  package let query: [QueryItem]
  package let body: JSON?
  /// nil: the request needs no microversion.
  package let microversion: MicroversionNeed?
  let read: @Sendable (HTTPResponse) throws -> Answer

  /// - Parameter read: reads an answer of status 2xx; throws `JSONError`.
  init(
    _ name: String, _ service: ServiceKind, _ method: HTTPRequest.Method, _ path: [String], query: [QueryItem] = [],
    body: JSON? = nil, microversion: MicroversionNeed? = nil, read: @escaping @Sendable (HTTPResponse) throws -> Answer
  ) {
    self.name = name
    self.service = service
    self.method = method
    self.path = path
    self.query = query
    self.body = body
    self.microversion = microversion
    self.read = read
  }

  /// A request whose answer is an object that holds `key`.
  init(
    _ name: String, _ service: ServiceKind, _ method: HTTPRequest.Method, _ path: [String], query: [QueryItem] = [],
    body: JSON? = nil, microversion: MicroversionNeed? = nil, object key: String,
    _ read: @escaping @Sendable (Fields) throws -> Answer
  ) {
    self.init(name, service, method, path, query: query, body: body, microversion: microversion) { response in
      try read(Fields(parsing: response.body).object(key))
    }
  }

  /// To do it twice is the same as to do it once (RFC 9110, section 9.2.2).
  package var isRepeatable: Bool {
    switch method {
    case .get, .head, .delete, .put: true
    case .post, .patch: false
    }
  }

  /// What is sent to the service.
  /// - Parameters:
  ///   - token: the header `X-Auth-Token`.
  ///   - version: the microversion that was agreed on.
  package func httpRequest(base: ServiceAddress, token: Secret, version: Microversion?) -> HTTPRequest {
    var url = ([base.description] + path.map(ServiceAddress.encoded)).joined(separator: "/")
    if !query.isEmpty {
      let items = query.map { "\(ServiceAddress.encoded($0.name))=\(ServiceAddress.encoded($0.value))" }
      url += "?" + items.joined(separator: "&")
    }
    var headers = [HTTPHeader("X-Auth-Token", token.reveal()), HTTPHeader("Accept", "application/json")]
    if let version { headers += service.headers(version) }
    if body != nil { headers.append(HTTPHeader("Content-Type", "application/json")) }
    return HTTPRequest(method, url, headers: headers, body: body.map { Array($0.text.utf8) })
  }
}

extension ServiceRequest where Answer == Void {
  /// A request whose answer says nothing but that it was taken.
  init(
    _ name: String, _ service: ServiceKind, _ method: HTTPRequest.Method, _ path: [String], query: [QueryItem] = [],
    body: JSON? = nil, microversion: MicroversionNeed? = nil
  ) {
    self.init(name, service, method, path, query: query, body: body, microversion: microversion) { _ in }
  }
}

extension ServiceKind {
  /// The headers that ask for a microversion: the common one, and the one that old releases know.
  fileprivate func headers(_ version: Microversion) -> [HTTPHeader] {
    let common = HTTPHeader("OpenStack-API-Version", "\(versionedName) \(version)")
    return switch self {
    case .blockStorage: [common]
    case .compute: [common, HTTPHeader("X-OpenStack-Nova-API-Version", "\(version)")]
    case .sharedFileSystem: [common, HTTPHeader("X-OpenStack-Manila-API-Version", "\(version)")]
    }
  }
}

/// One item of a query, not yet encoded.
package struct QueryItem: Sendable, Hashable {
  package let name: String
  package let value: String
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}
