import JSONText

/// Where a service is, and which microversions it speaks.
struct ServiceEndpoint: Sendable, Hashable {
  /// As the catalogue or the configuration says.
  let address: ServiceAddress
  /// nil: the service does not tell.
  let range: MicroversionRange?

  /// The version's own address, `https://volume.example/v3`, which answers with the microversions.
  static func root(_ address: ServiceAddress, _ service: ServiceKind) -> ServiceAddress {
    guard let index = address.versionIndex else { return address.appending(service.apiVersion) }
    return address.dropping(last: address.path.count - index - 1)
  }

  /// What paths are appended to. Cinder wants the project in it before 3.67, though configured addresses often lack it.
  func base(_ service: ServiceKind, projectID: String?) -> ServiceAddress {
    let root = Self.root(address, service)
    if address.path.count > root.path.count { return address }
    let isNeeded = service == .blockStorage && (range?.maximum ?? Microversion(3, 0)) < Microversion(3, 67)
    guard isNeeded, let projectID else { return root }
    return root.appending(ServiceAddress.encoded(projectID))
  }

  /// Reads the answer of a version's address: `{"version": {..}}` or `{"versions": [..]}`.
  /// - Returns: nil when the service has no microversions or says nothing of them.
  static func range(_ json: JSON, _ service: ServiceKind) -> MicroversionRange? {
    let versions = json["versions"]?.array ?? json["version"].map { [$0] } ?? []
    let major = service.apiVersion.dropFirst().prefix { $0 != "." }
    for version in versions where version["id"]?.string?.dropFirst().prefix(while: { $0 != "." }) == major {
      let least = version["min_version"]?.string.flatMap { Microversion($0) }
      let most = (version["version"] ?? version["max_version"])?.string.flatMap { Microversion($0) }
      if let least, let most, least <= most { return MicroversionRange(minimum: least, maximum: most) }
    }
    return nil
  }
}
