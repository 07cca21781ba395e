/// The address of a service in parts (RFC 3986), http or https, without user, query and fragment.
package struct ServiceAddress: Sendable, Hashable, CustomStringConvertible {
  /// `https://volume.example:8776`
  package let origin: String
  /// Percent-encoded parts of the path, none empty.
  package var path: [String]

  /// Reads an address; nil when it is none, or holds what an endpoint must not.
  package init?(_ text: String) {
    guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
      !text.contains(where: { "?#@\"<>\\^`{|}".contains($0) })
    else { return nil }
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard ["http", "https"].contains(scheme) else { return nil }
    let rest = text.dropFirst(scheme.count)
    guard rest.hasPrefix("://") else { return nil }
    let authority = rest.dropFirst(3).prefix { $0 != "/" }
    guard !authority.isEmpty, !authority.hasPrefix(":") else { return nil }
    origin = "\(scheme)://\(authority)"
    path = rest.dropFirst(3 + authority.count).split(separator: "/").map(String.init)
    guard !path.contains(".."), !path.contains(".") else { return nil }
  }

  private init(origin: String, path: [String]) {
    self.origin = origin
    self.path = path
  }

  package func appending(_ parts: String...) -> ServiceAddress {
    ServiceAddress(origin: origin, path: path + parts)
  }

  package func dropping(last count: Int) -> ServiceAddress {
    ServiceAddress(origin: origin, path: path.dropLast(count))
  }

  /// Without a slash at the end.
  package var description: String { ([origin] + path).joined(separator: "/") }

  /// The index in `path` of the part that is a version such as `v3` or `v2.1`; nil when there is none.
  package var versionIndex: Int? {
    path.lastIndex { part in
      part.first == "v" && part.dropFirst().first?.isASCII == true && part.dropFirst().first?.isNumber == true
        && part.dropFirst().allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
    }
  }

  /// What a path or query may hold as it is: RFC 3986's unreserved characters.
  package static func encoded(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        result += "%" + (hex.utf8.count == 1 ? "0" : "") + hex
      }
    }
    return result
  }
}
