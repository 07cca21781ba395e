import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "Identity Service RPC" of the CSI specification.
  @Suite struct Identity {
    @Test func `the plugin tells its name and version`() async throws {
      try await withServer { server in
        let info = try await server.call(Methods.getPluginInfo, GetPluginInfoRequest())
        #expect(info.name == Server.driverName)
        #expect(!info.vendorVersion.isEmpty)
      }
    }

    @Test func `the default name is a domain name of letters at both ends and at most 63 bytes`() async throws {
      try await withServer(ServerOptions(arguments: ["--driver-name", "file.csi.stowage.dev"])) { server in
        let name = try await server.call(Methods.getPluginInfo, GetPluginInfoRequest()).name
        #expect(name.utf8.count <= 63)
        #expect(name.wholeMatch(of: /[A-Za-z][A-Za-z0-9._-]*[A-Za-z]/) != nil)
      }
    }

    @Test func `the plugin tells every service that it serves`() async throws {
      try await withServer { server in
        let services = try await server.pluginServices()
        #expect(
          services == [
            .controllerService, .volumeAccessibilityConstraints, .groupControllerService, .snapshotMetadataService,
          ])
        let capabilities = try await server.call(Methods.getPluginCapabilities, GetPluginCapabilitiesRequest())
        let expansions = capabilities.capabilities.compactMap {
          if case .volumeExpansion(let expansion)? = $0.type { expansion.type } else { nil }
        }
        #expect(expansions == [.online])
      }
    }

    @Test(arguments: ["controller", "node"])
    func `plugin capabilities are the same whatever part a process serves`(mode: String) async throws {
      var whole: [PluginCapability] = []
      try await withServer { server in
        whole = try await server.call(Methods.getPluginCapabilities, GetPluginCapabilitiesRequest()).capabilities
      }
      try await withServer(ServerOptions(arguments: ["--mode", mode])) { server in
        let part = try await server.call(Methods.getPluginCapabilities, GetPluginCapabilitiesRequest()).capabilities
        #expect(Set(part) == Set(whole))
      }
    }

    @Test func `a probe says that the plugin is ready`() async throws {
      try await withServer { server in
        for _ in 0..<10 {
          let answer = try await server.call(Methods.probe, ProbeRequest())
          #expect(answer.ready == true)
        }
      }
    }
  }

  /// What a process serves depends on its mode; the rest is there and answers UNIMPLEMENTED.
  @Suite struct Modes {
    @Test func `a controller serves no node calls`() async throws {
      try await withServer(ServerOptions(arguments: ["--mode", "controller"])) { server in
        let volume = try await server.create(.named("v"))
        try await server.refuses(.unimplemented, by: Methods.nodeGetInfo, NodeGetInfoRequest())
        try await server.refuses(.unimplemented, by: Methods.nodeGetCapabilities, NodeGetCapabilitiesRequest())
        try await server.refuses(
          .unimplemented, by: Methods.nodePublishVolume, NodeVolume(server, volume).publishRequest())
        try await server.delete(volume)
      }
    }

    @Test func `a node serves no controller calls`() async throws {
      try await withServer(ServerOptions(arguments: ["--mode", "node"])) { server in
        #expect(try await server.call(Methods.nodeGetInfo, NodeGetInfoRequest()).nodeID == "node-1")
        try await server.refuses(.unimplemented, by: Methods.createVolume, .named("v"))
        try await server.refuses(
          .unimplemented, by: Methods.controllerGetCapabilities, ControllerGetCapabilitiesRequest())
        try await server.refuses(
          .unimplemented, by: Methods.groupControllerGetCapabilities, GroupControllerGetCapabilitiesRequest())
        try await server.refuses(
          .unimplemented, by: Methods.getMetadataAllocated, GetMetadataAllocatedRequest(snapshotID: "s"))
      }
    }

    @Test(arguments: [
      ["--mode", "both"], ["--driver-name", "-x-"], ["--no-such-flag"], ["--config", "/nonexistent"],
    ])
    func `a wrong configuration ends the process at once with words`(arguments: [String]) async throws {
      let server = try Server(ServerOptions(arguments: arguments), on: .host)
      let (status, output) = try await Program.run(try server.command(), environment: server.environment)
      #expect(status > 0)
      #expect(!output.isEmpty)
      #expect(!Files.exists(server.socket))
      await server.clean()
    }

    @Test func `every call of the protocol is served`() async throws {
      try await withServer { server in
        for method in allMethods {
          let reached = try await server.reaches(method)
          #expect(reached, "\(method)")
        }
      }
    }
  }
}

extension Server {
  func pluginServices() async throws -> Set<PluginCapability.Service.Kind> {
    let answer = try await call(Methods.getPluginCapabilities, GetPluginCapabilitiesRequest())
    return Set(
      answer.capabilities.compactMap { if case .service(let service)? = $0.type { service.type } else { nil } })
  }

  /// Whether an empty request comes to the handler: it answers, or refuses for another reason than that nobody is there.
  func reaches(_ method: AnyMethod) async throws -> Bool {
    do {
      if method.isStreaming {
        for try await _ in try client.serverStream(method.path, .bytes, .bytes, [], timeout: Patience.seconds(10)) {}
      } else {
        _ = try await client.unary(method.path, .bytes, .bytes, [], timeout: Patience.seconds(10))
      }
      return true
    } catch let status as Status {
      return status.code == .invalidArgument
    }
  }
}
