import Configuration
import Storage

/// Looks at the volume groups and thin pools that a backend of type `lvm` names.
struct VolumeGroupCheck {
  private let subject: String
  private let settings: LVMSettings

  init(_ name: BackendName, _ settings: LVMSettings) {
    subject = "backend \(name)"
    self.settings = settings
  }

  func findings() async -> [Finding] {
    do {
      let groups = try await LVMReport.groups()
      var findings: [Finding] = []
      for name in Set(settings.classes.map(\.volumeGroup)).sorted() {
        findings += group(name, among: groups)
      }
      // What is in a group that is there twice nobody can say by its name.
      for one in settings.classes where groups.count(where: { $0.name == one.volumeGroup }) == 1 {
        findings += try await members(of: one, groups)
      }
      return findings
    } catch {
      return [.fail(subject, "\(error)", do: "run as root; look at what \"vgs\" and \"lvs\" say")]
    }
  }

  private func group(_ name: String, among groups: [LVMReport.Group]) -> [Finding] {
    let found = groups.filter { $0.name == name }
    guard let group = found.first else {
      let advice = "make it (docs/lvm.md), or let LVM see its disks: lvmdevices --adddev, filter in lvm.conf"
      return [.fail(subject, "there is no volume group \(name)", do: advice)]
    }
    guard found.count == 1 else {
      return [
        .fail(
          subject, "\(found.count) volume groups are named \(name): \(found.map(\.uuid).joined(separator: ", "))",
          do: "rename one: vgrename UUID NEWNAME, or hide the disks of one from LVM")
      ]
    }
    for one in settings.classes where one.volumeGroup == name {
      if let wanted = one.volumeGroupUUID, wanted != group.uuid {
        return [
          .fail(
            subject, "volume group \(name) is \(group.uuid), but class \(one.name) wants \(wanted)",
            do: "find out whose disks these are before you change volumeGroupUUID")
        ]
      }
    }
    return [.ok(subject, "volume group \(name), \(group.devices) physical volumes")] + health(of: group)
  }

  private func health(of group: LVMReport.Group) -> [Finding] {
    var findings: [Finding] = []
    if group.missingDevices > 0 {
      findings.append(
        .warn(
          subject, "volume group \(group.name) misses \(group.missingDevices) of its \(group.devices) physical volumes",
          do: "bring the disk back, or follow \"A physical volume is missing\" in docs/lvm.md"))
    }
    // LVM writes the new text beside the old one, so half of the area is all there is; what it calls free is of that half.
    let room = group.metadataSize / 2
    let used = max(0, room - group.metadataFree)
    if room > 0, used * 2 > room {
      findings.append(
        .warn(
          subject,
          "the text of volume group \(group.name) takes \(used * 100 / room) % of the room that there is for it "
            + "(\(used >> 10) of \(room >> 10) KiB)",
          do: "delete volumes; make new groups with vgcreate --metadatasize 64m, see docs/lvm.md"))
    }
    return findings
  }

  private func members(of one: DeviceClassSettings, _ groups: [LVMReport.Group]) async throws -> [Finding] {
    switch one.layout {
    case .thin(let pool): return try await thinPool(pool, in: one.volumeGroup)
    case .linear: return []
    case .striped(let count), .raid1(let count):
      let devices = groups.first { $0.name == one.volumeGroup }?.devices ?? 0
      guard devices < count else { return [] }
      return [
        .fail(
          subject,
          "class \(one.name) needs \(count) physical volumes, and volume group \(one.volumeGroup) has \(devices)",
          do: "add disks: vgextend \(one.volumeGroup) DEVICE")
      ]
    }
  }

  private func thinPool(_ name: String, in group: String) async throws -> [Finding] {
    let path = "\(group)/\(name)"
    guard let pool = try await LVMReport.pool(name, in: group) else {
      return [
        .fail(
          subject, "there is no thin pool \(path)",
          do: "lvcreate --type thin-pool -L SIZE -Zy -n \(name) \(group)")
      ]
    }
    guard pool.isThinPool else {
      return [.fail(subject, "\(path) is no thin pool", do: "name another one as pool")]
    }
    guard pool.zeroes else {
      return [
        .fail(
          subject, "thin pool \(path) does not zero: new volumes would show old bytes", do: "lvchange -Zy \(path)")
      ]
    }
    var findings = [Finding.ok(subject, "thin pool \(path)\(pool.data.map { ", \($0) % of its data in use" } ?? "")")]
    if !pool.health.isEmpty {
      findings.append(
        .warn(subject, "thin pool \(path): \(pool.health)", do: "follow \"When something breaks\" in docs/lvm.md"))
    }
    if let metadata = pool.metadata, metadata >= 75 {
      findings.append(
        .warn(
          subject, "\(metadata) % of the metadata of thin pool \(path) is in use: no snapshots and clones any more",
          do: "lvextend --poolmetadatasize +1g \(path)"))
    }
    return findings
  }
}
