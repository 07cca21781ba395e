import CSI
import Storage

/// The GroupController service (CSI spec, GroupController Service RPC).
struct GroupControllerService: Sendable {
  let registry: BackendRegistry
  let gate: OperationGate

  func groupControllerGetCapabilities(
    _ request: GroupControllerGetCapabilitiesRequest
  ) async throws -> GroupControllerGetCapabilitiesResponse {
    var response = GroupControllerGetCapabilitiesResponse()
    guard registry.conform(to: (any GroupSnapshottingBackend).self) else { return response }
    var rpc = GroupControllerServiceCapability.RPC()
    rpc.type = .createDeleteGetVolumeGroupSnapshot
    var capability = GroupControllerServiceCapability()
    capability.type = .rpc(rpc)
    response.capabilities = [capability]
    return response
  }

  /// - Throws: `.unsupported` when the backend of `id` has no group snapshots.
  func able(_ id: QualifiedID) throws -> any GroupSnapshottingBackend {
    guard let able = registry.backend(of: id) as? any GroupSnapshottingBackend else {
      throw StorageError.unsupported("backend \(id.backend) does not support group snapshots")
    }
    return able
  }

  /// - Throws: `.invalid` unless `told` names exactly the members, in any order.
  func checkMembers(_ told: [String], of group: GroupSnapshot, _ backend: any StorageBackend) throws {
    let members = Set(group.members.map { registry.id($0.id, of: backend) })
    guard Set(told.map(registry.parse)) == members else {
      throw StorageError.invalid("snapshot_ids are not the members of the group snapshot")
    }
  }
}
