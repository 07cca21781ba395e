import CSI
import GRPC
import Testing

extension Conformance {
  /// Section "ValidateVolumeCapabilities".
  @Suite struct Validate {
    @Test func `volume and capabilities are required`() async throws {
      try await withServer { server in
        let validate = Methods.validateVolumeCapabilities
        try await server.refuses(
          .invalidArgument, by: validate, ValidateVolumeCapabilitiesRequest(volumeCapabilities: [.mount()]))
        try await server.refuses(
          .invalidArgument, by: validate, ValidateVolumeCapabilitiesRequest(volumeID: "missing"))
      }
    }

    @Test func `an unknown volume is not found`() async throws {
      try await withServer { server in
        try await server.refuses(
          .notFound, by: Methods.validateVolumeCapabilities,
          ValidateVolumeCapabilitiesRequest(volumeID: "missing", volumeCapabilities: [.mount()]))
      }
    }

    @Test func `what is supported is confirmed as it was asked`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v", parameters: Backend.underTest.parameters))
        let request = ValidateVolumeCapabilitiesRequest(
          volumeID: volume.volumeID, volumeContext: volume.volumeContext,
          volumeCapabilities: [.mount(), .mount("ext4", .singleNodeMultiWriter)],
          parameters: Backend.underTest.parameters)
        let confirmed = try #require(try await server.call(Methods.validateVolumeCapabilities, request).confirmed)
        #expect(confirmed.volumeCapabilities == request.volumeCapabilities)
        #expect(confirmed.parameters == request.parameters)
        #expect(confirmed.volumeContext == request.volumeContext)
        try await server.delete(volume)
      }
    }

    @Test(arguments: [
      [VolumeCapability.mount("ext4", .multiNodeMultiWriter)], [.block()], [.mount("xfs")],
      [.mount(), .mount("ext4", .multiNodeReaderOnly)],
    ])
    func `what the volume cannot do is not confirmed, with a message`(capabilities: [VolumeCapability]) async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        let answer = try await server.call(
          Methods.validateVolumeCapabilities,
          ValidateVolumeCapabilitiesRequest(volumeID: volume.volumeID, volumeCapabilities: capabilities))
        #expect(answer.confirmed == nil)
        #expect(!answer.message.isEmpty)
        try await server.delete(volume)
      }
    }

    @Test func `other parameters and a foreign context are not confirmed`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for (parameters, context) in [
          (Backend.underTest.parameters, volume.volumeContext), (["unknown": "x"], volume.volumeContext),
        ] {
          let answer = try await server.call(
            Methods.validateVolumeCapabilities,
            ValidateVolumeCapabilitiesRequest(
              volumeID: volume.volumeID, volumeContext: context, volumeCapabilities: [.mount()],
              parameters: parameters))
          #expect(answer.confirmed == nil)
        }
        try await server.delete(volume)
      }
    }

    @Test func `the provisioner's own key in the context does no harm`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        var context = volume.volumeContext
        context["storage.kubernetes.io/csiProvisionerIdentity"] = "1234-8081-driver"
        let answer = try await server.call(
          Methods.validateVolumeCapabilities,
          ValidateVolumeCapabilitiesRequest(
            volumeID: volume.volumeID, volumeContext: context, volumeCapabilities: [.mount()]))
        #expect(answer.confirmed != nil)
        try await server.delete(volume)
      }
    }
  }
}
