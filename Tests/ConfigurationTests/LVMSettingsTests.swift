import Storage
import Testing

@testable import Configuration

@Suite struct `LVM settings` {
  private func read(_ text: String) throws -> [BackendConfiguration] {
    var configuration = Configuration()
    try configuration.apply(file: Array(text.utf8), source: "f.yaml")
    return configuration.backends
  }

  /// One backend with one class of these keys; the class begins on line 5.
  private func problem(ofClass keys: String) -> String {
    problem("backends:\n  - name: l\n    type: lvm\n    classes:\n      - {\(keys)}\n")
  }

  private func problem(_ text: String) -> String {
    do {
      _ = try read(text)
      return "none"
    } catch { return "\(error)" }
  }

  @Test func `every key of the backend and its classes arrives`() throws {
    let backends = try read(
      """
      backends:
        - name: disks
          type: lvm
          defaultFilesystem: xfs
          defaultSize: 2GiB
          minimumSize: 8MiB
          maximumSize: 1TiB
          runtimeDirectory: /run/elsewhere
          lockDirectory: /run/lock/other
          classes:
            - name: fast
              volumeGroup: vg0
              volumeGroupUUID: abcdef-0123-4567-89AB-cdef-0123-456789
              pool: thin0
              overprovision: 2.5
              autoExtendThreshold: 70
              autoExtendStep: 10
              wipe: delete
            - {name: wide, volumeGroup: vg1, layout: striped, stripes: 3, wipe: create}
            - {name: twice, volumeGroup: vg1, layout: raid1, copies: 3, wipe: none}
            - {name: plain, volumeGroup: vg1, layout: linear}
      """)
    guard case .lvm(let lvm) = try #require(backends.first).kind else {
      Issue.record("no LVM backend")
      return
    }
    #expect(lvm.defaultFilesystem == .xfs)
    #expect(lvm.defaultSize == .gib(2))
    #expect(lvm.minimumSize == .mib(8))
    #expect(lvm.maximumSize == .tib(1))
    #expect(lvm.runtimeDirectory == "/run/elsewhere")
    #expect(lvm.lockDirectory == "/run/lock/other")
    #expect(lvm.classes.map(\.name) == ["fast", "wide", "twice", "plain"])
    #expect(lvm.classes.map(\.volumeGroup) == ["vg0", "vg1", "vg1", "vg1"])
    #expect(lvm.classes.map(\.layout) == [.thin(pool: "thin0"), .striped(3), .raid1(3), .linear])
    #expect(lvm.classes.map(\.wipe) == [.delete, .create, .none, .delete])
    #expect(lvm.classes[0].volumeGroupUUID == "abcdef-0123-4567-89AB-cdef-0123-456789")
    #expect(lvm.classes[0].overprovision == 2.5)
    #expect(lvm.classes[0].autoExtendThreshold == 70)
    #expect(lvm.classes[0].autoExtendStep == 10)
  }

  @Test func `what is left out has the documented default`() throws {
    let backends = try read(
      """
      backends:
        - name: l
          type: lvm
          classes:
            - {name: a, volumeGroup: g, pool: p, autoExtendThreshold: 80}
            - {name: b, volumeGroup: g, layout: striped}
            - {name: c, volumeGroup: g, layout: raid1}
            - {name: d, volumeGroup: g, pool: p}
      """)
    guard case .lvm(let lvm) = try #require(backends.first).kind else {
      Issue.record("no LVM backend")
      return
    }
    #expect(lvm.runtimeDirectory == "/run/stowage")
    #expect(lvm.lockDirectory == nil)
    #expect(lvm.classes.map(\.layout) == [.thin(pool: "p"), .striped(2), .raid1(2), .thin(pool: "p")])
    #expect(lvm.classes.map(\.autoExtendThreshold) == [80, nil, nil, nil])
    #expect(lvm.classes[0].autoExtendStep == 20)
    #expect(lvm.classes.allSatisfy { $0.overprovision == 1 && $0.wipe == .delete && $0.volumeGroupUUID == nil })
  }

  @Test(arguments: [
    ("volumeGroup: g, pool: p", "a class needs a name"),
    ("name: a, pool: p", "class \"a\" needs a volumeGroup"),
    ("name: a, volumeGroup: g", "class \"a\" needs a pool, or a layout"),
    ("name: a, volumeGroup: g, layout: thin", "class \"a\" is thin and needs a pool"),
    ("name: a, volumeGroup: g, pool: p, layout: linear", "class \"a\" has a pool: its layout is thin, not linear"),
    ("name: a, volumeGroup: g, layout: linear, stripes: 2", "class \"a\" has stripes but is not striped"),
    ("name: a, volumeGroup: g, layout: striped, copies: 2", "class \"a\" has copies but is not raid1"),
    ("name: a, volumeGroup: g, layout: linear, overprovision: 2", "class \"a\" has no pool: overprovision"),
    ("name: a, volumeGroup: g, layout: linear, autoExtendThreshold: 80", "class \"a\" has no pool: overprovision"),
    ("name: a, volumeGroup: g, pool: p, autoExtendStep: 5", "class \"a\" has an autoExtendStep without"),
    ("name: a, volumegroup: g", "unknown key \"volumegroup\"; did you mean volumeGroup?"),
    ("name: a b, volumeGroup: g", "name must be letters, digits"),
    ("name: a, volumeGroup: -g", "volumeGroup must be a name of LVM"),
    ("name: a, volumeGroup: g, pool: a/b", "pool must be a name of LVM"),
    ("name: a, volumeGroup: g, pool: ..", "pool must be a name of LVM"),
    ("name: a, volumeGroup: g, volumeGroupUUID: abc", "volumeGroupUUID must be a uuid as"),
    ("name: a, volumeGroup: g, layout: raid5", "layout must be one of thin, linear, striped, raid1, not \"raid5\""),
    ("name: a, volumeGroup: g, layout: striped, stripes: 1", "stripes must be a whole number from 2 to 128"),
    ("name: a, volumeGroup: g, pool: p, overprovision: 0.5", "overprovision must be a number from 1.0 to 1000.0"),
    ("name: a, volumeGroup: g, pool: p, autoExtendThreshold: 20", "autoExtendThreshold must be a whole number"),
    ("name: a, volumeGroup: g, pool: p, wipe: always", "wipe must be one of delete, create, none"),
    ("name: a, volumeGroup: g, pool: [p]", "pool must be one value, not a list"),
  ])
  func `mistakes in a class are told with its line`(keys: String, message: String) {
    #expect(problem(ofClass: keys).hasPrefix("f.yaml:5: \(message)"), "\(problem(ofClass: keys))")
  }

  @Test(arguments: [
    ("", "f.yaml:2: backend \"l\" needs classes"),
    ("    classes: []\n", "f.yaml:4: classes must be a list with at least one mapping"),
    ("    classes: x\n", "f.yaml:4: classes must be a list with at least one mapping, not a value"),
    ("    classes:\n      - fast\n", "f.yaml:5: classes must be a list of mappings, not of a value"),
    ("    clases: []\n", "f.yaml:4: unknown key \"clases\"; did you mean classes?"),
    (
      "    classes:\n      - name: a\n        volumeGroup: g\n        pol: p\n",
      "f.yaml:7: unknown key \"pol\"; did you mean pool?"
    ),
    (
      "    classes: [{name: a, volumeGroup: g, pool: p}, {name: a, volumeGroup: h, pool: p}]\n",
      "f.yaml:2: backend \"l\" has two classes named \"a\""
    ),
    (
      "    minimumSize: 2GiB\n    classes: [{name: a, volumeGroup: g, pool: p}]\n",
      "f.yaml:2: backend \"l\" must have minimumSize <= defaultSize <= maximumSize"
    ),
  ])
  func `mistakes in the backend are told with file and line`(keys: String, message: String) {
    let text = "backends:\n  - name: l\n    type: lvm\n" + keys
    #expect(problem(text).hasPrefix(message), "\(problem(text))")
  }

  @Test func `a volume group and a thin pool make a backend`() throws {
    let byFlag = try Configuration.load(
      file: nil, quickStart: .init(volumeGroup: "vg0", thinPool: "thin0"), environment: [:])
    let byVariable = try Configuration.load(
      file: nil, environment: ["STOWAGE_VOLUME_GROUP": "vg0", "STOWAGE_THIN_POOL": "thin0"])
    let lvm = try LVMSettings(volumeGroup: "vg0", thinPool: "thin0")
    #expect(byFlag.backends == [BackendConfiguration(name: try BackendName(validating: "lvm"), kind: .lvm(lvm))])
    #expect(byVariable == byFlag)
    #expect(lvm.classes.map(\.layout) == [.thin(pool: "thin0")])
  }

  @Test(arguments: [
    (Configuration.QuickStart(volumeGroup: "vg0"), "--volume-group and --thin-pool belong together"),
    (Configuration.QuickStart(thinPool: "thin0"), "--volume-group and --thin-pool belong together"),
    (Configuration.QuickStart(volumeGroup: "a/b", thinPool: "p"), "--volume-group: must be a name of LVM"),
    (Configuration.QuickStart(volumeGroup: "a", thinPool: "p q"), "--thin-pool: must be a name of LVM"),
    (
      Configuration.QuickStart(dataDirectory: "/x", volumeGroup: "a", thinPool: "p"),
      "--data-directory and --volume-group each make a backend"
    ),
  ])
  func `half a quick start, or two, are mistakes`(quickStart: Configuration.QuickStart, message: String) {
    #expect { try Configuration.load(file: nil, quickStart: quickStart, environment: [:]) } throws: {
      "\($0)".hasPrefix(message)
    }
  }

  @Test func `lists of mappings cannot come from variables or flags`() throws {
    var lvm = try LVMSettings(volumeGroup: "vg0", thinPool: "thin0")
    let setting = try #require(LVMSettings.settings.first { $0.key == "classes" })
    #expect { try setting.apply("fast", to: &lvm) } throws: { "\($0)" == "classes can be given in the file only" }
  }
}
