import CSI
import Testing

@Suite struct RedactionTests {
  /// Everything that Swift can make of a value without being asked to reveal it.
  private func renderings(_ message: some CSIMessage) -> [String] {
    var dumped = ""
    dump(message, to: &dumped)
    let mirrored = Mirror(reflecting: message).children.map { "\($0.value)" }
    let texts = [message.description, "\(message)", String(reflecting: message), String(describing: Optional(message))]
    return texts + mirrored + [dumped, message.json(redacting: true).prettyText]
  }

  @Test func `no rendering of any message shows a secret`() throws {
    for (type, bytes) in WireSample.all() {
      let message = try type.init(serialized: bytes)
      for text in renderings(message) + [message.json.text, message.json(redacting: false).prettyText] {
        #expect(!text.contains(WireSample.secretWord), "\(type.messageName)")
      }
    }
  }

  @Test func `a secret map shows nothing but reveals what is asked for`() {
    let secrets: SecretMap = ["password": "hunter2"]
    var dumped = ""
    dump(secrets, to: &dumped)
    for text in ["\(secrets)", String(reflecting: secrets), String(reflecting: [secrets]), dumped] {
      #expect(!text.contains("hunter2"))
      #expect(!text.contains("password"))
    }
    #expect(secrets.reveal() == ["password": "hunter2"])
    #expect(secrets == SecretMap(["password": "hunter2"]))
    #expect("\(SecretMap())" == "none")
  }

  @Test func `exactly the fields that the protocol marks are secrets`() throws {
    var marked: Set<String> = []
    for (type, bytes) in WireSample.all()
    where try type.init(serialized: bytes).json["secrets"] == .string(SecretMap.stripped) {
      marked.insert(type.messageName)
    }
    let both = [
      "CreateVolume", "DeleteVolume", "ControllerPublishVolume", "ControllerUnpublishVolume",
      "ValidateVolumeCapabilities", "ControllerModifyVolume", "CreateSnapshot", "DeleteSnapshot", "ListSnapshots",
      "GetSnapshot", "ControllerExpandVolume", "NodeStageVolume", "NodePublishVolume", "NodeExpandVolume",
      "CreateVolumeGroupSnapshot", "DeleteVolumeGroupSnapshot", "GetVolumeGroupSnapshot", "GetMetadataAllocated",
      "GetMetadataDelta",
    ]
    let newer = ["ControllerListVolumeHealth", "ControllerGetVolumeHealth", "NodeGetStorageHealth"]
    #expect(marked == Set((both + newer).map { $0 + "Request" }))
    #expect(marked.count == 22)
  }

  @Test func `mount flags and service account tokens are shown to the user but not in a log`() {
    let tokens = "csi.storage.k8s.io/serviceAccount.tokens"
    let request = NodePublishVolumeRequest(
      volumeCapability: VolumeCapability(accessType: .mount(.init(fsType: "ext4", mountFlags: ["password=hunter2"]))),
      volumeContext: [tokens: "hunter2", "pool": "fast"])
    for text in renderings(request) {
      #expect(!text.contains("hunter2"))
      #expect(text.contains("ext4"))
      #expect(text.contains("fast"))
    }
    #expect(request.json["volume_context"]?[tokens] == "hunter2")
    #expect(request.json["volume_capability"]?["mount"]?["mount_flags"] == ["password=hunter2"])
    #expect(request.json(redacting: true)["volume_context"]?[tokens] == .string(SecretMap.stripped))
  }

  @Test func `secrets can be given as JSON`() throws {
    let request = try CreateVolumeRequest(json: ["name": "v", "secrets": ["password": "hunter2"]])
    #expect(request.secrets.reveal() == ["password": "hunter2"])
    #expect(request.json == ["name": "v", "secrets": .string(SecretMap.stripped)])
  }
}
