/// A request to an HTTP service. Its rendering tells no header values and no body: both may hold credentials.
package struct HTTPRequest: Sendable, Hashable {
  package enum Method: String, Sendable, Hashable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
  }

  package var method: Method
  /// Absolute, http or https; percent-encoded already.
  package var url: String
  package var headers: [HTTPHeader]
  /// nil: no body at all.
  package var body: [UInt8]?
  /// The most bytes that an answer's body may have.
  package var responseLimit: Int

  package init(
    _ method: Method, _ url: String, headers: [HTTPHeader] = [], body: [UInt8]? = nil, responseLimit: Int = 64 << 20
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.responseLimit = responseLimit
  }
}

extension HTTPRequest: CustomStringConvertible, CustomReflectable {
  /// Method and address, without the query.
  package var description: String { "\(method.rawValue) \(url.prefix { $0 != "?" && $0 != "#" })" }
  package var customMirror: Mirror { Mirror(self, children: ["request": description]) }
}

/// One header field. Its rendering tells the name only.
package struct HTTPHeader: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
  package var name: String
  package var value: String
  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
  package var description: String { name }
  package var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}

/// What a service answered, whatever its status.
package struct HTTPResponse: Sendable, Hashable {
  package var status: Int
  package var headers: [HTTPHeader]
  package var body: [UInt8]

  package init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The value of the first header of this name, whatever its case (RFC 9110, section 5.1).
  package subscript(header name: String) -> String? {
    let name = name.lowercased()
    return headers.first { $0.name.lowercased() == name }?.value
  }
}
