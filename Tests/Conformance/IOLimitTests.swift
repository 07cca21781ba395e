import CSI
import Glibc
import Host
import Testing

extension Conformance {
  /// Limits on real control groups: the kernel holds a pod back, and lets it go.
  @Suite(.enabled(if: ControlGroups.haveIO, "needs cgroup version 2 with the io controller at /sys/fs/cgroup"))
  struct IOLimits {
    @Test(arguments: [VolumeCapability.block(), .mount("xfs")])
    func `a pod with a limit writes no more often than it may, and as it likes without`(
      capability: VolumeCapability
    ) async throws {
      try await withPod { server, pod, group in
        let node = try await server.nodeVolume("v", bytes: mib(320), capability)
        try await node.stage()
        try await server.modify(node.volume, ["iops-write": "20"])
        try await pod.publish(node)
        let device = try DeviceNumber.of(device: try #require(server.devices.keys.first))
        #expect(Files.text(group + "/io.max") == "\(device) rbps=max wbps=max riops=max wiops=20\n")

        let file = pod.target(of: node) + (capability == .block() ? "" : "/data")
        let limited = try await writes(to: file, in: group, device)
        #expect(limited.count > 0, "io.stat tells of the device: \(Files.text(group + "/io.stat"))")
        // The kernel counts in slices of up to a few hundred milliseconds and gives the first one free.
        #expect(Double(limited.count) <= 20 * (limited.seconds + 1), "\(limited)")

        try await server.modify(node.volume, ["iops-write": "max"])
        #expect(Files.text(group + "/io.max").isEmpty)
        let free = try await writes(to: file, in: group, device)
        #expect(free.count > 3 * limited.count, "\(free), with the limit \(limited)")

        try await server.modify(node.volume, ["bps-read": "1Mi"])
        #expect(Files.text(group + "/io.max").contains("rbps=1048576"))
        try await pod.unpublish(node)
        #expect(Files.text(group + "/io.max").isEmpty, "nothing is left for whoever gets the device's number next")
        try await node.unstage()
        try await server.delete(node.volume)
      }
    }

    /// Lets a process of the pod write 4 KiB again and again for two seconds.
    /// - Returns: the writes that the kernel counted, and the time that they had.
    private func writes(
      to file: String, in group: String, _ device: DeviceNumber
    ) async throws -> (count: Int, seconds: Double) {
      let before = Self.writes(of: device, in: group)
      let began = ContinuousClock.now
      let script =
        "echo $$ > \(group)/cgroup.procs; "
        + "timeout 2 dd if=/dev/zero of=\(file) bs=4k count=4096 oflag=direct conv=notrunc; true"
      try await Program.need("sh", "-c", script)
      let seconds = (ContinuousClock.now - began) / .seconds(1)
      return (Self.writes(of: device, in: group) - before, seconds)
    }

    /// `wios` of a line such as `7:0 rbytes=0 wbytes=245760 rios=0 wios=60 dbytes=0 dios=0`.
    private static func writes(of device: DeviceNumber, in group: String) -> Int {
      for line in Files.text(group + "/io.stat").split(separator: "\n") where line.hasPrefix("\(device) ") {
        for word in line.split(separator: " ") where word.hasPrefix("wios=") { return Int(word.dropFirst(5)) ?? 0 }
      }
      return 0
    }

    /// A server and a pod whose group lies where systemd would put it, below a group of this test.
    private func withPod(_ body: (Server, Pod, String) async throws -> Void) async throws {
      let root = "\(ControlGroups.root)/stow-\(getpid())"
      defer { ControlGroups.remove(root) }
      try await withServer(ServerOptions(environment: ["STOWAGE_CGROUP_ROOT": root])) { server in
        let pod = Pod(server)
        let escaped = String(pod.uid.map { $0 == "-" ? "_" : $0 })
        let group = "\(root)/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(escaped).slice"
        Files.makeDirectories(group)
        #expect(!Files.exists(group + "/io.max"), "the io controller is off until it is needed")
        try await body(server, pod, group)
      }
    }
  }
}

enum ControlGroups {
  static let root = "/sys/fs/cgroup"

  static var haveIO: Bool {
    Files.text(root + "/cgroup.controllers").split { $0 == " " || $0 == "\n" }.contains("io")
  }

  /// Removes a group and those in it; their files go with them.
  static func remove(_ group: String) {
    for name in Files.names(group) where Files.isDirectory(group + "/" + name) { remove(group + "/" + name) }
    rmdir(group)
  }
}
