import Storage
import Testing

@testable import Configuration

/// What deploy/ says in several places must be the same everywhere.
@Suite struct `Manifests` {
  private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/deploy"

  private func documents(_ file: String) throws -> [YAMLNode] {
    let text = String(decoding: try Configuration.contents(of: "\(Self.root)/\(file)"), as: UTF8.self)
    return try text.split(separator: "\n---\n").compactMap { try YAMLReader.parse(Array($0.utf8)) }
  }

  private func resources(_ directory: String) throws -> [YAMLNode] {
    let files = try #require(try documents("\(directory)/kustomization.yaml").first?["resources"]?.items)
    return try files.flatMap { try documents("\(directory)/\($0.text ?? "")") }
  }

  private func containers(_ directory: String) throws -> [YAMLNode] {
    let set = try #require(try resources(directory).first { $0["kind"]?.text == "DaemonSet" })
    return try #require(set["spec"]?["template"]?["spec"]?["containers"]?.items)
  }

  @Test(arguments: ["file", "lvm"])
  func `one driver name stands everywhere`(directory: String) throws {
    let name = "\(directory).csi.stowage.dev"
    for object in try resources(directory) {
      switch object["kind"]?.text {
      case "CSIDriver": #expect(object["metadata"]?["name"]?.text == name)
      case "StorageClass": #expect(object["provisioner"]?.text == name)
      case "VolumeSnapshotClass": #expect(object["driver"]?.text == name)
      case "VolumeAttributesClass": #expect(object["driverName"]?.text == name)
      default: break
      }
    }
    let texts = try containers(directory).flatMap { $0["args"]?.items ?? [] }.compactMap(\.text)
    #expect(texts.contains("--kubelet-registration-path=/var/lib/kubelet/plugins/\(name)/csi.sock"))
  }

  @Test(arguments: ["file", "lvm"])
  func `every image has a source and every mount a volume`(directory: String) throws {
    let images = try #require(try documents("\(directory)/kustomization.yaml").first?["images"]?.items)
    let set = try #require(try resources(directory).first { $0["kind"]?.text == "DaemonSet" })
    let volumes = try #require(set["spec"]?["template"]?["spec"]?["volumes"]?.items).compactMap { $0["name"]?.text }
    for container in try containers(directory) {
      #expect(images.contains { $0["name"]?.text == container["image"]?.text }, "\(container["image"]?.text ?? "")")
      for mount in container["volumeMounts"]?.items ?? [] {
        #expect(volumes.contains(mount["name"]?.text ?? ""), "\(mount["name"]?.text ?? "")")
      }
    }
  }

  @Test func `the LVM configuration is valid and has the classes that storage classes ask for`() throws {
    let objects = try resources("lvm")
    let map = try #require(objects.first { $0["kind"]?.text == "ConfigMap" })
    let text = try #require(map["data"]?["stowage.yaml"]?.text)
    var configuration = Configuration()
    try configuration.apply(file: Array(text.utf8), source: "configmap.yaml")
    #expect(configuration.driverName == "lvm.csi.stowage.dev")
    #expect(configuration.expansion == .node)
    guard case .lvm(let lvm) = try #require(configuration.backends.first).kind else {
      Issue.record("no LVM backend")
      return
    }
    let names = lvm.classes.map(\.name)
    let classes = objects.filter { $0["kind"]?.text == "StorageClass" }
    #expect(!classes.isEmpty)
    for one in classes {
      #expect(names.contains(try #require(one["parameters"]?["deviceClass"]?.text)))
      #expect(one["volumeBindingMode"]?.text == "WaitForFirstConsumer")
    }
  }

  @Test func `the attributes class has limits that are understood`() throws {
    let object = try #require(try resources("lvm").first { $0["kind"]?.text == "VolumeAttributesClass" })
    guard case .mapping(let entries)? = object["parameters"]?.content else {
      Issue.record("no parameters")
      return
    }
    let parameters = Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value.text ?? "") })
    #expect(try IOLimits.canonical(mutableParameters: parameters).count == 4)
  }

  @Test func `LVM has the host's devices, locks, udev, settings and namespaces`() throws {
    let set = try #require(try resources("lvm").first { $0["kind"]?.text == "DaemonSet" })
    let pod = try #require(set["spec"]?["template"]?["spec"])
    #expect(pod["hostIPC"]?.text == "true")
    let driver = try #require(try containers("lvm").first { $0["name"]?.text == "stowage" })
    #expect(driver["securityContext"]?["privileged"]?.text == "true")
    let volumes = pod["volumes"]?.items ?? []
    let mounts = driver["volumeMounts"]?.items ?? []
    for path in [
      "/dev", "/run/lock/lvm", "/run/udev", "/run/lvm", "/etc/lvm", "/run/stowage", "/sys/fs/cgroup",
      "/var/lib/kubelet",
    ] {
      let mount = try #require(mounts.first { $0["mountPath"]?.text == path }, "\(path)")
      let volume = try #require(volumes.first { $0["name"]?.text == mount["name"]?.text })
      #expect(volume["hostPath"]?["path"]?.text == path)
    }
    let kubelet = mounts.first { $0["mountPath"]?.text == "/var/lib/kubelet" }
    #expect(kubelet?["mountPropagation"]?.text == "Bidirectional")
  }
}

extension YAMLNode {
  fileprivate subscript(key: String) -> YAMLNode? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == key }?.value
  }
  fileprivate var text: String? { if case .scalar(let text, _) = content { text } else { nil } }
  fileprivate var items: [YAMLNode]? { if case .sequence(let items) = content { items } else { nil } }
}
