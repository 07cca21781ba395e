import CSI
import GRPC
import Glibc
import Host
import Testing

extension Conformance {
  /// Section "ControllerModifyVolume", mutable parameters of CreateVolume, and the limits that they put on pods.
  @Suite struct ModifyVolume {
    private let modify = Methods.controllerModifyVolume

    @Test func `volume and parameters are required`() async throws {
      try await withServer { server in
        try await server.refuses(
          .invalidArgument, by: modify, .init(mutableParameters: ["iops-read": "10"]))
        try await server.refuses(.invalidArgument, by: modify, .init(volumeID: "missing"))
        try await server.refuses(
          .notFound, by: modify, .init(volumeID: "missing", mutableParameters: ["iops-read": "10"]))
      }
    }

    @Test(arguments: [
      ["iops": "10"], ["iops-read": "0"], ["iops-read": "-1"], ["iops-read": "1.5"], ["iops-write": "10k"],
      ["iops-write": "4294967295"], ["bps-read": "10M"], ["bps-write": ""], ["bps-write": "10 Mi"],
      ["bps-write": "99999999999999999999"], ["backend": "files"], ["iops-read": "10", "colour": "green"],
    ])
    func `unknown keys and bad values are invalid and nothing of the request is applied`(
      parameters: [String: String]
    ) async throws {
      try await withLimits { server, image in
        let node = try await server.nodeVolume("v")
        try await server.refuses(
          .invalidArgument, by: modify, .init(volumeID: node.volume.volumeID, mutableParameters: parameters))
        var create = CreateVolumeRequest.named("w")
        create.mutableParameters = parameters
        try await server.refuses(.invalidArgument, by: Methods.createVolume, create)
        #expect(try await server.volumeIDs() == [node.volume.volumeID])
        // Without limits a pod needs no group.
        let pod = Pod(server)
        try await node.stage()
        try await pod.publish(node)
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a repeat succeeds and keys of the sidecars are tolerated`() async throws {
      try await withServer { server in
        let volume = try await server.create(.named("v"))
        for _ in 0..<3 { try await server.modify(volume, ["iops-read": "100", "bps-read": "10Mi"]) }
        try await server.modify(volume, ["csi.storage.k8s.io/pvc/name": "claim"])
        try await server.delete(volume)
      }
    }

    @Test func `a volume on the wire is the same whatever its mutable parameters`() async throws {
      try await withServer { server in
        let plain = try await server.create(.named("v"))
        try await server.modify(plain, ["iops-read": "100"])
        #expect(try await server.create(.named("v")) == plain)
        let listed = try await server.call(Methods.listVolumes, .init()).entries.compactMap(\.volume)
        #expect(listed == [plain])
        try await server.delete(plain)
      }
    }

    @Test(arguments: [VolumeCapability.mount(), .mount("btrfs"), .block()])
    func `limits are put on the pod for its device and taken away with the volume`(
      capability: VolumeCapability
    ) async throws {
      try await withLimits { server, image in
        let pod = Pod(server)
        let limits = try image.addPod(pod.uid)
        var create = CreateVolumeRequest.named("v", bytes: mib(320), capability)
        create.mutableParameters = ["iops-read": "100", "bps-write": "1Mi", "iops-write": "max"]
        let node = NodeVolume(server, try await server.create(create), capability)
        try await node.stage()
        for _ in 0..<2 {
          try await pod.publish(node)
          let device = try DeviceNumber.of(device: try #require(server.devices.keys.first))
          #expect(Files.text(limits) == "\(device) rbps=max wbps=1048576 riops=100 wiops=max")
        }
        try await pod.unpublish(node)
        #expect(Files.text(limits).contains(" rbps=max wbps=max riops=max wiops=max"))
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `modification reaches pods that use the volume and keys left out keep their values`() async throws {
      try await withLimits { server, image in
        let pod = Pod(server)
        let limits = try image.addPod(pod.uid)
        let node = try await server.nodeVolume("v")
        try await node.stage()
        try await pod.publish(node)
        #expect(Files.text(limits).isEmpty)
        try await server.modify(node.volume, ["iops-read": "100", "iops-write": "50"])
        #expect(Files.text(limits).hasSuffix(" rbps=max wbps=max riops=100 wiops=50"))
        try await server.modify(node.volume, ["iops-write": "60"])
        #expect(Files.text(limits).hasSuffix(" rbps=max wbps=max riops=100 wiops=60"))
        try await server.modify(node.volume, ["iops-read": "max"])
        #expect(Files.text(limits).hasSuffix(" rbps=max wbps=max riops=max wiops=60"))
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `limits that cannot be put are a failed precondition and nothing is published`() async throws {
      try await withLimits { server, image in
        let node = try await server.nodeVolume("v")
        try await server.modify(node.volume, ["iops-read": "100"])
        try await node.stage()
        let before = Set(server.mounts)
        let pod = Pod(server)
        let publish = Methods.nodePublishVolume
        let reason = try await server.refuses(.failedPrecondition, by: publish, pod.publishRequest(node))
        #expect(reason.contains("pod \(pod.uid) has no control group"))
        // A path that names no pod.
        try await server.refuses(.failedPrecondition, by: publish, node.publishRequest())
        #expect(Set(server.mounts) == before)
        #expect(!Files.exists(pod.target(of: node)))
        _ = try image.addPod(pod.uid, at: "kubepods/besteffort")
        try await pod.publish(node)
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a host without version 2 of control groups refuses limits and serves the rest`() async throws {
      try await withServer(ServerOptions(environment: ["STOWAGE_CGROUP_ROOT": "/proc"])) { server in
        let node = try await server.nodeVolume("v")
        let pod = Pod(server)
        try await node.stage()
        try await pod.publish(node)
        // Promised to a pod that runs: nothing of it is recorded.
        try await server.refuses(
          .failedPrecondition, by: modify,
          .init(volumeID: node.volume.volumeID, mutableParameters: ["iops-read": "100"]))
        try await pod.publish(node)
        try await pod.unpublish(node)
        try await server.modify(node.volume, ["iops-read": "100"])
        let reason = try await server.refuses(
          .failedPrecondition, by: Methods.nodePublishVolume, pod.publishRequest(node))
        #expect(reason.contains("version 1"))
        try await server.modify(node.volume, ["iops-read": "max"])
        try await pod.publish(node)
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `limits are put back after a start`() async throws {
      try await withLimits { server, image in
        let pod = Pod(server)
        let limits = try image.addPod(pod.uid)
        let node = try await server.nodeVolume("v")
        try await server.modify(node.volume, ["iops-read": "100"])
        try await node.stage()
        try await pod.publish(node)
        let put = Files.text(limits)
        try await server.kill()
        #expect(truncate(limits, 0) == 0)
        try await server.start()
        #expect(Files.text(limits) == put)
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    @Test func `a publish that a crash cut off before its limits gets them from the next start`() async throws {
      let image = try ControlGroupImage()
      let environment = ["STOWAGE_CGROUP_ROOT": image.root, "STOWAGE_CRASH_AT": "publish.before-limits"]
      try await withServer(ServerOptions(environment: environment)) { server in
        let pod = Pod(server)
        let limits = try image.addPod(pod.uid)
        let node = try await server.nodeVolume("v")
        try await server.modify(node.volume, ["iops-read": "100"])
        try await node.stage()
        try await server.refuses(.unavailable, by: Methods.nodePublishVolume, pod.publishRequest(node))
        #expect(Files.text(limits).isEmpty)
        try await server.kill()
        try await server.start()
        #expect(Files.text(limits).hasSuffix(" riops=100 wiops=max"))
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(node.volume)
      }
      await image.remove()
    }

    @Test func `a repeated creation with other mutable parameters gives the volume those`() async throws {
      try await withLimits { server, image in
        let pod = Pod(server)
        let limits = try image.addPod(pod.uid)
        var create = CreateVolumeRequest.named("v")
        create.mutableParameters = ["iops-read": "100"]
        let volume = try await server.create(create)
        create.mutableParameters = ["iops-read": "200"]
        #expect(try await server.create(create) == volume)
        let node = NodeVolume(server, volume)
        try await node.stage()
        try await pod.publish(node)
        #expect(Files.text(limits).hasSuffix(" riops=200 wiops=max"))
        try await pod.unpublish(node)
        try await node.unstage()
        try await server.delete(volume)
      }
    }

    private func withLimits(_ body: (Server, ControlGroupImage) async throws -> Void) async throws {
      let image = try ControlGroupImage()
      do {
        try await withServer(ServerOptions(environment: ["STOWAGE_CGROUP_ROOT": image.root])) { server in
          try await body(server, image)
        }
      } catch {
        await image.remove()
        throw error
      }
      await image.remove()
    }
  }
}
