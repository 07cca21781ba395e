import Configuration
import HTTP
import JSONText

@testable import OpenStack

/// What real services answered: Keystone 30, Cinder 29 with a driver that pretends its storage, Nova 34 with its fake
/// hypervisor. Their addresses became `http://k`, `http://c` and `http://n`, and the token another text; all else is as
/// it came.
struct Recording {
  let request: String
  let response: HTTPResponse

  private static let all = Result { () throws -> JSON in
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    return try JSON(parsing: Configuration.contents(of: "/\(folder)/Recordings/openstack.json"))
  }

  init(_ name: String) throws {
    let fields = try Fields(Self.all.get(), path: "").object(name)
    request = try fields.string("request")
    var headers: [String: String] = [:]
    for (name, value) in try fields.metadata("headers") { headers[name] = value }
    response = HTTPResponse(Int(try fields.integer("status")), fields.json["body"], headers: headers)
  }

  /// The answer's body.
  static func body(_ name: String) throws -> JSON { try JSON(parsing: Recording(name).response.body) }
}

extension JSON {
  /// The same object with some members set.
  func setting(_ values: [String: JSON]) -> JSON {
    guard case .object(var members) = self else { return self }
    for (key, value) in values {
      if let index = members.firstIndex(where: { $0.key == key }) {
        members[index].value = value
      } else {
        members.append(Member(key, value))
      }
    }
    return .object(members)
  }
}
