import Storage
import Testing

@testable import LVMBackend

@Suite struct LVMCommandTests {
  private let path = LVPath("vg0", "csi_a")

  @Test func `a thin volume is made inactive, with its tags, and no signature is looked for`() throws {
    let order = NewLogicalVolume(path, size: .gib(1), kind: .thin(pool: "pool0"), tags: ["b=1", "a=2"])
    #expect(
      try LVMCommand.create(order).line
        == "lvcreate -y -an -ky -n csi_a --addtag a=2 --addtag b=1 -Wn --type thin -V 1073741824b --thinpool pool0 vg0")
  }

  @Test func `a snapshot is made inactive and has no size of its own`() throws {
    let order = NewLogicalVolume(LVPath("vg0", "css_a"), size: .zero, kind: .snapshot(of: "csi_a"), tags: ["t"])
    #expect(try LVMCommand.create(order).line == "lvcreate -y -an -ky -n css_a --addtag t -s vg0/csi_a")
  }

  @Test(arguments: [
    (NewLogicalVolume.Kind.linear, "--type linear -L 8388608b"), (.striped(3), "--type striped -i 3 -L 8388608b"),
    (.raid1(2), "--type raid1 -m 1 -L 8388608b"),
  ])
  func `thick volumes are made of what their class says`(kind: NewLogicalVolume.Kind, part: String) throws {
    let order = NewLogicalVolume(path, size: .mib(8), kind: kind, tags: [])
    #expect(try LVMCommand.create(order).line == "lvcreate -y -an -ky -n csi_a -Wn -Zn \(part) vg0")
  }

  @Test func `numbers that make no layout are refused`() {
    for kind in [NewLogicalVolume.Kind.striped(1), .raid1(1)] {
      #expect(throws: StorageError.self) {
        try LVMCommand.create(NewLogicalVolume(path, size: .mib(8), kind: kind, tags: []))
      }
    }
    #expect(throws: StorageError.self) {
      try LVMCommand.create(NewLogicalVolume(path, size: .zero, kind: .linear, tags: []))
    }
  }

  @Test func `every command names its group`() throws {
    let commands = [
      try LVMCommand.remove(path, groupUUID: "abcdef-0123"), try .extend(path, to: .mib(8)),
      try .extendPool(path, metadata: .mib(8)), try .changeTags(path, adding: ["x"], removing: ["y"]),
      try .rename(path, to: "b"), try .activate(path), try .deactivate(path), try .report("vg0"),
    ]
    for command in commands {
      #expect(command.group == "vg0")
      #expect(command.arguments.contains { $0 == "vg0" || $0 == "vg0/csi_a" })
      #expect(command.arguments.count <= LVMCommand.argumentLimit)
      // As liblvm2cmd splits it.
      #expect(command.line.split(separator: " ").map(String.init) == command.arguments)
      #expect(!command.line.contains { "\"'\\\n\t".contains($0) })
    }
    #expect(commands[0].line == "lvremove -y -f -S vg_uuid=abcdef-0123 vg0/csi_a")
    #expect(commands[3].line == "lvchange --deltag y --addtag x vg0/csi_a")
    #expect(commands[5].line == "lvchange -y -ay -K vg0/csi_a")
  }

  @Test func `names as long as device-mapper can take pass, longer ones do not`() {
    let group = String(repeating: "g", count: 60)
    #expect(throws: Never.self) { try LVMName.check(LVPath(group, String(repeating: "a", count: 59))) }
    #expect(throws: StorageError.self) { try LVMName.check(LVPath(group, String(repeating: "a", count: 60))) }
    #expect(throws: StorageError.self) { try LVMName.check(LVPath(group, "a" + String(repeating: "-", count: 30))) }
    for name in ["a", "csi_x", "css_x", "+a.b-c", "_", "Snapshot", "0"] {
      #expect(throws: Never.self) { try LVMName.check(LVPath("vg", name)) }
    }
  }

  @Test func `hyphens in names count twice in device-mapper`() {
    #expect(DeviceMapper.name(of: LVPath("a-b", "c--d-")) == "a--b-c----d--")
    #expect(DeviceMapper.devicePath(of: LVPath("vg", "lv")) == "/dev/mapper/vg-lv")
  }
}

@Suite struct LVMFailureTests {
  private func failure(_ errors: String) throws -> StorageError {
    Reply(status: 5, errors: errors).failure(of: try .activate(LVPath("vg0", "csi_a")))
  }

  @Test func `what LVM says becomes what a caller can act upon`() throws {
    for text in [
      "Volume group \"vg0\" has insufficient free space (1773 extents): 25600 required.",
      "Insufficient suitable allocatable extents for logical volume csi_r: 34 more required",
      "VG vg0 metadata on /dev/sda (521759 bytes) too large for circular buffer (1043968 bytes with 521753 used)",
      "Free space in pool vg0/pool0 is above threshold, new volumes are not allowed.",
    ] {
      guard case .exhausted(let message) = try failure(text) else {
        Issue.record("\(text)")
        continue
      }
      #expect(message.contains(text))
    }
    for text in [
      "VG vg0 metadata too large for circular buffer",
      "VG small 27 metadata on /dev/ubdb (534654 bytes) exceeds maximum metadata size (521472 bytes)",
    ] {
      guard case .exhausted(let advice) = try failure(text) else {
        Issue.record("\(text)")
        continue
      }
      #expect(advice.contains("--metadatasize"))
    }
    for text in [
      "Failed to find logical volume \"vg0/csi_a\"",
      "Existing logical volume \"csi_a\" not found in volume group \"vg0\"",
      "Pool nopool not found in Volume group vg0.",
    ] {
      guard case .notFound = try failure(text) else { Issue.record("\(text)"); continue }
    }
    for text in [
      "Logical volume vg0/csi_c contains a filesystem in use.",
      "Cannot change VG vg0 while PVs are missing.\nCannot process volume group vg0: missing PVs",
      "Multiple VGs found with the same name: skipping vg0", "Logical volume vg0/a in use.",
    ] {
      guard case .precondition = try failure(text) else { Issue.record("\(text)"); continue }
    }
    for text in [
      "Can't get lock for vg0", "Volume group \"vg0\" not found\nCannot process volume group vg0",
      "/run/lock/lvm/V_vg0: flock failed: Resource temporarily unavailable",
    ] {
      guard case .unavailable = try failure(text) else { Issue.record("\(text)"); continue }
    }
    guard case .incompatible = try failure("Logical Volume \"csi_c\" already exists in volume group \"vg0\"") else {
      Issue.record("exists")
      return
    }
    guard case .failed = try failure("Something new") else {
      Issue.record("new")
      return
    }
  }

  @Test func `messages stay below a kibibyte and never say nothing`() throws {
    #expect(try failure(String(repeating: "x", count: 5000)).description.utf8.count < 1024)
    #expect(try failure("").description.contains("status 5"))
    let warned = Reply(status: 5, output: "  WARNING: something is odd.\n")
    #expect(warned.failure(of: try .report("vg0")).description.contains("something is odd"))
  }
}
