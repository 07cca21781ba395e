import CSI
import Glibc

/// A pod as the kubelet makes one: its target paths and, where asked for, its control group.
struct Pod {
  let server: Server
  let uid: String

  init(_ server: Server, _ uid: String = "0f7a5d0e-1c3b-4c55-9d4e-7b8f2f6a9c01") {
    self.server = server
    self.uid = uid
  }

  /// Makes the directories that the kubelet makes.
  func target(of node: NodeVolume) -> String {
    switch node.capability.accessType {
    case .block:
      let directory = server.work + "/plugins/kubernetes.io/csi/volumeDevices/publish/" + node.volume.volumeID
      Files.makeDirectories(directory)
      return directory + "/" + uid
    default:
      let directory = "\(server.work)/pods/\(uid)/volumes/kubernetes.io~csi/\(node.volume.volumeID)"
      Files.makeDirectories(directory)
      return directory + "/mount"
    }
  }

  func publishRequest(_ node: NodeVolume, readonly: Bool = false) -> NodePublishVolumeRequest {
    var request = node.publishRequest(readonly: readonly)
    request.targetPath = target(of: node)
    return request
  }

  func publish(_ node: NodeVolume) async throws {
    try await server.call(Methods.nodePublishVolume, publishRequest(node))
  }

  func unpublish(_ node: NodeVolume) async throws {
    try await server.call(
      Methods.nodeUnpublishVolume,
      NodeUnpublishVolumeRequest(volumeID: node.volume.volumeID, targetPath: target(of: node)))
  }
}

/// A directory that looks like cgroup version 2, with plain files: what is written to them can be read.
struct ControlGroupImage {
  let root: String

  init() throws {
    var template = Array("/tmp/stow-cgroup-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FileFailure(path: "/tmp", code: errno) }
    root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try makeGroup("")
  }

  private func makeGroup(_ path: String) throws {
    Files.makeDirectories(root + "/" + path)
    try Files.write("cpuset cpu io memory pids\n", to: root + "/" + path + "/cgroup.controllers")
    try Files.write("", to: root + "/" + path + "/io.max")
  }

  /// Makes the group of a pod and returns the path of its `io.max`.
  func addPod(_ uid: String, at parent: String = "kubepods/burstable") throws -> String {
    try makeGroup("\(parent)/pod\(uid)")
    return "\(root)/\(parent)/pod\(uid)/io.max"
  }

  func remove() async { _ = try? await Program.run(["rm", "-rf", root]) }
}

extension Files {
  static func makeDirectories(_ path: String) {
    var made = ""
    for part in path.split(separator: "/") {
      made += "/" + part
      makeDirectory(made)
    }
  }
}

extension Server {
  func modify(_ volume: Volume, _ parameters: [String: String]) async throws {
    try await call(Methods.controllerModifyVolume, .init(volumeID: volume.volumeID, mutableParameters: parameters))
  }
}
