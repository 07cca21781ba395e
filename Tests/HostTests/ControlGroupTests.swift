import Glibc
import Storage
import Testing

@testable import Host

@Suite struct `Control groups of pods` {
  private let uid = "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c01"
  private let escaped = "0f7a5d0e_1c3b_4c55_9d4e_7b8f2f6a9c01"

  @Test func `a pod is known by the target paths of the kubelet`() {
    let base = "/var/lib/kubelet"
    #expect(PodUID(targetPath: "\(base)/pods/\(uid)/volumes/kubernetes.io~csi/pvc-1/mount")?.text == uid)
    #expect(PodUID(targetPath: "\(base)/plugins/kubernetes.io/csi/volumeDevices/publish/pvc-1/\(uid)")?.text == uid)
    let hash = "a3f0d2c1b4e5968778695a4b3c2d1e0f"
    #expect(PodUID(targetPath: "\(base)/pods/\(hash)/volumes/kubernetes.io~csi/pvc-1/mount")?.text == hash)
  }

  @Test(arguments: [
    "/pods/UID/volumes/kubernetes.io~csi/mount", "/k/pods/../volumes/kubernetes.io~csi/pv/mount",
    "/k/pods/UID/volumes/kubernetes.io~csi/pv/other", "/k/pods/UID/volumes/kubernetes.io~nfs/pv/mount",
    "/k/pods/UIDx/volumes/kubernetes.io~csi/pv/mount", "/k/plugins/kubernetes.io/csi/volumeDevices/staging/pv/UID",
    "/k/plugins/kubernetes.io/csi/volumeDevices/publish/pv/dev", "/mnt/target", "/",
  ])
  func `other paths name no pod`(path: String) {
    #expect(PodUID(targetPath: path.replacing("UID", with: uid)) == nil)
  }

  @Test(arguments: [
    "", "..", "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c0", "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c0g",
    "0f7a5d0e1-c3b-4c55-9d4e-7b8f2f6a9c01", "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c01/..",
    "a3f0d2c1b4e5968778695a4b3c2d1e0", "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c01\n",
  ])
  func `what is no uid becomes no part of a path`(text: String) { #expect(PodUID(parsing: text) == nil) }

  private func withGroups(_ paths: [String], _ body: (String) throws -> Void) throws {
    var template = Array("/tmp/stowage-cgroup-XXXXXX".utf8CString)
    let root = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer { remove(root) }
    for path in [""] + paths {
      var made = root
      for part in path.split(separator: "/") {
        made += "/" + part
        mkdir(made, 0o755)
      }
      try DurableFile.write(Array("cpu io\n".utf8), to: made + "/cgroup.controllers")
    }
    try body(root)
  }

  private func remove(_ path: String) {
    for name in (try? Directory.names(in: path)) ?? [] {
      if unlink(path + "/" + name) != 0 { remove(path + "/" + name) }
    }
    rmdir(path)
  }

  @Test(arguments: [
    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podE.slice",
    "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podE.slice", "kubepods.slice/kubepods-podE.slice",
    "kubepods/burstable/podU", "kubepods/besteffort/podU", "kubepods/podU",
    "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podE.slice",
    "kubelet/kubepods/besteffort/podU",
  ])
  func `both drivers of the kubelet, every class of service and a root of its own are found`(path: String) throws {
    let path = path.replacing("E", with: escaped).replacing("U", with: uid)
    let decoys = ["kubepods/burstable/pod\(uid)0", "system.slice/x.service", "kubepods.slice/kubepods-podaaaa.slice"]
    let pod = try #require(PodUID(parsing: uid))
    try withGroups(decoys) { root in
      let none = try ControlGroup.of(pod: pod, below: root)
      #expect(none == nil)
    }
    try withGroups(decoys + [path]) { root in
      let group = try ControlGroup.of(pod: pod, below: root)
      #expect(group?.path == root + "/" + path)
    }
  }

  @Test func `a directory that is no group of version 2 is refused`() throws {
    let pod = try #require(PodUID(parsing: uid))
    #expect(throws: StorageError.self) { try ControlGroup.of(pod: pod, below: "/proc") }
  }

  @Test func `io max is read line by line`() {
    let text = "8:0 rbps=1 wbps=2 riops=3 wiops=4\n253:16 rbps=max wbps=1048576 riops=max wiops=120\n"
    func limits(_ major: UInt32, _ minor: UInt32) -> IOLimits {
      ControlGroup.limits(of: DeviceNumber(major: major, minor: minor), in: text)
    }
    #expect(limits(253, 16) == IOLimits(writeOperations: 120, writeBytes: 1_048_576))
    #expect(limits(8, 0) == IOLimits(readOperations: 3, writeOperations: 4, readBytes: 1, writeBytes: 2))
    #expect(limits(253, 1).isEmpty)
  }
}
