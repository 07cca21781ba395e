import JSONText

/// The addresses of a cloud's services, as a token brings them.
package struct ServiceCatalogue: Sendable, Hashable {
  package struct Endpoint: Sendable, Hashable {
    package var type: String
    package var interface: String
    package var region: String?
    package var url: String
  }

  package let endpoints: [Endpoint]

  package init(_ endpoints: [Endpoint]) { self.endpoints = endpoints }

  /// Reads `token.catalog`. What is not understood of it is left out: it holds services that do not matter here.
  init(_ services: [Fields]) throws {
    guard services.count <= 10_000 else { throw JSONError("more than 10000 services", path: "token.catalog") }
    var endpoints: [Endpoint] = []
    for service in services {
      guard let type = try? service.string("type") else { continue }
      for endpoint in (try? service.optionalList("endpoints")) ?? [] {
        guard let url = try? endpoint.string("url"), let interface = try? endpoint.string("interface") else { continue }
        let region = (try? endpoint.optionalString("region_id")) ?? (try? endpoint.optionalString("region"))
        endpoints.append(Endpoint(type: type, interface: interface, region: region, url: url))
      }
    }
    self.endpoints = endpoints
  }

  /// The address of a service.
  ///
  /// The best of the service's types that has an endpoint of this interface and region; volume services of versions
  /// before 3 do not count.
  /// - Parameter region: nil: any, if there is only one.
  /// - Throws: `OpenStackError` that says what the catalogue has instead.
  package func address(
    of service: ServiceKind, interface: Cloud.Interface, region: String?
  ) throws -> ServiceAddress {
    let known = endpoints.filter { service.types.contains($0.type) }
    for type in service.types {
      let fitting = known.filter { endpoint in
        endpoint.type == type && endpoint.interface == interface.rawValue
          && (region ?? endpoint.region) == endpoint.region
          && Self.isUsable(endpoint, service)
      }
      guard let first = fitting.first else { continue }
      let regions = Set(fitting.map { $0.region ?? "" })
      guard regions.count == 1 else {
        throw OpenStackError(
          service, .notOffered,
          "the catalogue has regions \(regions.sorted().joined(separator: ", ")): region_name must say which")
      }
      guard let address = ServiceAddress(first.url) else {
        throw OpenStackError(service, .malformed, "the catalogue's address of \(service.project) is no http address")
      }
      return address
    }
    let wanted = "\(interface.rawValue) address of \(service.project)\(region.map { " in region \($0)" } ?? "")"
    let there = Set(known.map { "\($0.type) \($0.interface) \($0.region ?? "-")" }).sorted().prefix(10)
    throw OpenStackError(
      service, .notOffered,
      "the catalogue has no \(wanted)\(there.isEmpty ? "" : ", only \(there.joined(separator: ", "))")")
  }

  /// `volume` was the type of version 1 once.
  private static func isUsable(_ endpoint: Endpoint, _ service: ServiceKind) -> Bool {
    guard let address = ServiceAddress(endpoint.url), let index = address.versionIndex else { return true }
    let major = address.path[index].prefix { $0 != "." }
    return major == service.apiVersion.prefix { $0 != "." }
  }
}
