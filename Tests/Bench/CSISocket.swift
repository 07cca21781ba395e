import CSI
import GRPC

extension Codec where Message: CSIMessage {
  /// The protobuf form.
  static var csi: Codec {
    Codec(decode: { try Message(serialized: $0) }, encode: { message, allocate in try message.serialize(allocate) })
  }
}

/// One connection to a CSI server.
struct CSISocket: Sendable {
  let client: Client

  init(_ endpoint: String) throws {
    client = Client(endpoint: try Endpoint(parsing: endpoint))
  }

  func call<Q: CSIMessage, R: CSIMessage>(_ method: Method<Q, R>, _ request: Q) async throws -> R {
    try await client.unary(method.path, Codec<Q>.csi, Codec<R>.csi, request, timeout: .seconds(60))
  }

  func close() { client.close() }

  /// Makes a volume and returns its id.
  func create(_ name: String, size: Int64, source: VolumeContentSource? = nil) async throws -> String {
    let answer = try await call(
      Methods.createVolume,
      CreateVolumeRequest(
        name: name, capacityRange: CapacityRange(requiredBytes: size), volumeCapabilities: [.ext4],
        volumeContentSource: source))
    return answer.volume?.volumeID ?? ""
  }

  func delete(_ volume: String) async throws {
    _ = try await call(Methods.deleteVolume, DeleteVolumeRequest(volumeID: volume))
  }
}

extension VolumeCapability {
  /// One writer through an ext4 file system.
  static var ext4: VolumeCapability {
    VolumeCapability(
      accessType: .mount(MountVolume(fsType: "ext4")), accessMode: AccessMode(mode: .singleNodeWriter))
  }
}
