import Storage
import Testing

@testable import Host

@Suite struct MountTableTests {
  private func table(_ text: String) -> MountTable { MountTable(parsing: Array(text.utf8)) }

  @Test func `every field of a line is read`() throws {
    let entry = try #require(
      table("36 35 98:0 /part /mnt/x rw,noatime shared:1 master:2 - ext4 /dev/sda1 ro,errors=continue\n").entries.first)
    #expect(entry.id == 36 && entry.parentID == 35)
    #expect(entry.device == DeviceNumber(major: 98, minor: 0))
    #expect(entry.root == "/part" && entry.mountPoint == "/mnt/x")
    #expect(entry.options == ["rw", "noatime"])
    #expect(entry.type == "ext4" && entry.source == "/dev/sda1")
    #expect(entry.superOptions == ["ro", "errors=continue"])
    #expect(entry.isReadOnly)
  }

  @Test func `octal escapes become the bytes that they stand for`() {
    let entries = table(
      """
      1 0 0:1 / /a\\040b\\011c\\012d\\134e\\043f rw - tmpfs none rw
      2 0 0:2 / /caf\\303\\251 rw - tmpfs none rw
      3 0 0:3 / /odd\\04 rw - tmpfs none rw
      4 0 0:4 / /odd\\999 rw - tmpfs none rw
      """
    ).entries
    #expect(entries.map(\.mountPoint) == ["/a b\tc\nd\\e#f", "/café", "/odd\\04", "/odd\\999"])
  }

  @Test func `an empty source and a missing optional field are read`() {
    let entries = table("1 0 0:1 / /a rw - tmpfs  rw,size=4k\n2 0 0:2 / /b rw - fuse.sshfs u@h:/- rw\n").entries
    #expect(entries.map(\.source) == ["", "u@h:/-"])
    #expect(entries.map(\.type) == ["tmpfs", "fuse.sshfs"])
    #expect(entries.first?.superOptions == ["rw", "size=4k"])
  }

  @Test func `lines of an unknown form are passed over`() {
    let entries = table(
      """

      nonsense
      x 0 0:1 / /a rw - tmpfs none rw
      1 0 0-1 / /a rw - tmpfs none rw
      1 0 0:1 / /a rw shared:1 tmpfs none rw
      7 0 0:1 / /good rw - tmpfs none rw
      8 0 0:1 / /cut rw - tmpfs
      """
    ).entries
    #expect(entries.map(\.id) == [7])
  }

  @Test func `a stack is ordered by what lies on what, whatever the order of the lines`() {
    let lines = [
      "10 1 0:1 / /mnt rw - tmpfs one rw", "12 11 0:3 / /mnt rw - tmpfs three rw", "11 10 0:2 / /mnt rw - tmpfs two rw",
      "20 1 0:9 / /mnt/below rw - tmpfs other rw",
    ]
    for text in [lines, lines.reversed()].map({ $0.joined(separator: "\n") }) {
      #expect(table(text).entries(at: "/mnt").map(\.source) == ["one", "two", "three"])
    }
  }

  @Test func `the mounts of a device are found by its number`() {
    let table = table(
      """
      1 0 7:1 / /a rw - ext4 /dev/loop1 rw
      2 0 7:2 / /b rw - ext4 /dev/loop2 rw
      3 0 7:1 / /c rw - ext4 x rw
      """)
    #expect(table.entries(on: DeviceNumber(major: 7, minor: 1)).map(\.mountPoint) == ["/a", "/c"])
  }

  @Test func `a table of fifty thousand mounts is read whole`() {
    var text = ""
    for id in 1...50_000 { text += "\(id) 0 0:\(id) / /mnt/\(id) rw shared:\(id) - tmpfs none rw\n" }
    let table = table(text)
    #expect(table.entries.count == 50_000)
    #expect(table.entries(at: "/mnt/49999").map(\.id) == [49_999])
  }

  @Test func `the kernel's own table has a root`() throws {
    #expect(try MountTable.read().entries(at: "/").isEmpty == false)
  }
}

@Suite struct MountOptionsTests {
  private let readOnly: UInt = 1
  private let noAccessTime: UInt = 1024

  @Test func `kernel flags become bits and the rest becomes data`() throws {
    let options = try MountOptions(parsing: ["ro,noatime", "discard", "nosuid", "data=ordered,nodev", "noexec"])
    #expect(options.flags == readOnly | noAccessTime | 2 | 4 | 8)
    #expect(options.data == "discard,data=ordered")
    #expect(options.isReadOnly)
  }

  @Test func `all flags have their number from the kernel`() throws {
    let numbers: [String: UInt] = [
      "ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "dirsync": 128, "noatime": 1024, "nodiratime": 2048,
      "relatime": 1 << 21, "strictatime": 1 << 24, "lazytime": 1 << 25,
    ]
    for (name, number) in numbers { #expect(try MountOptions(parsing: [name]).flags == number, "\(name)") }
  }

  @Test func `the later of two contradicting options holds`() throws {
    #expect(try MountOptions(parsing: ["ro", "rw"]).flags == 0)
    #expect(try MountOptions(parsing: ["rw", "ro"]).flags == readOnly)
    #expect(try MountOptions(parsing: ["relatime", "noatime"]).flags == noAccessTime)
    #expect(try MountOptions(parsing: ["noexec,exec", "nosuid,suid"]).flags == 0)
  }

  @Test func `commas within quotes belong to the option`() throws {
    let context = "context=\"system_u:object_r:container_file_t:s0:c1,c2\""
    let options = try MountOptions(parsing: ["noatime,\(context),nouuid"])
    #expect(options.flags == noAccessTime)
    #expect(options.data == "\(context),nouuid")
  }

  @Test func `options for mount(8) and fstab alone are dropped`() throws {
    let options = try MountOptions(
      parsing: ["defaults", "_netdev,nofail", "noauto", "x-systemd.automount", "X-mount.mkdir=755", "", ",,"])
    #expect(options.flags == 0 && options.data.isEmpty)
  }

  @Test(arguments: [
    "bind", "rbind", "remount", "move", "shared", "make-rprivate", "loop", "loop=/dev/loop3", "offset=512", "user",
    "ro,remount",
  ])
  func `options that make another kind of mount are refused`(option: String) {
    #expect(throws: StorageError.self) { try MountOptions(parsing: [option]) }
  }

  @Test func `an option with NUL is refused`() {
    #expect(throws: StorageError.self) { try MountOptions(parsing: ["discard\0,nouuid"]) }
  }

  @Test func `more data than the kernel takes is refused`() throws {
    #expect(try MountOptions(parsing: [String(repeating: "x", count: 4095)]).data.utf8.count == 4095)
    #expect(throws: StorageError.self) { try MountOptions(parsing: [String(repeating: "x", count: 4096)]) }
  }
}
