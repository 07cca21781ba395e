import Storage
import Testing

@testable import LVMBackend

@Suite struct ReportTests {
  /// As LVM 2.03.16 prints it, cut short; a warning has come in between.
  private static let text = """
    {
        "report": [
            {
                "vg": [
                    {"vg_name":"vg0", "vg_uuid":"5fuCrE-yKbg-DRgs-5mPa-DDTB-kemw-cKkVg9", "vg_seqno":"19", \
    "vg_extent_size":"4194304", "vg_size":"10729029632", "vg_free":"9227468800", "vg_mda_size":"1044480", \
    "vg_mda_free":"514048", "vg_permissions":"writeable", "vg_exported":""}
                ]
                ,
                "pv": [
                    {"pv_name":"/dev/ubda", "pv_size":"8585740288", "pv_free":"7260340224", "pv_missing":"", \
    "pv_allocatable":"allocatable"},
                    {"pv_name":"[unknown]", "pv_size":"2143289344", "pv_free":"1967128576", "pv_missing":"missing", \
    "pv_allocatable":""}
                ]
    WARNING: Device for PV hM0K2N-9CbE-uAcP-6zAc-VDSy-JgFU-dAeyme not found or rejected by a filter.
                ,
                "lv": [
                ]
                ,
                "pvseg": [
                ]
                ,
                "seg": [
                    {"lv_name":"csi_c", "lv_uuid":"0Azrch-VJgV-O7f4-FJxP-qVpu-ec1w-BX8j2J", "lv_size":"67108864", \
    "lv_tags":"csi.v=1,csi.n=a=2cb", "lv_layout":"thin,sparse", "lv_role":"public,snapshot,thinsnapshot", \
    "pool_lv":"pool0", "origin":"csi_a", "thin_id":"3", "lv_health_status":"", "lv_time":"1795270336", \
    "chunk_size":"0", "lv_metadata_size":"", "zero":"zero", "lv_when_full":"", "transaction_id":"2"},
                    {"lv_name":"csi_r", "lv_uuid":"tshrfE-xF34-RGOZ-bcuM-fvYq-HzEv-cO4cEG", "lv_size":"67108864", \
    "lv_tags":"", "lv_layout":"raid,raid1", "lv_role":"public", "pool_lv":"", "origin":"", "thin_id":"", \
    "lv_health_status":"partial", "lv_time":"1795270337", "chunk_size":"0", "lv_metadata_size":"", \
    "zero":"unknown", "lv_when_full":"", "transaction_id":""},
                    {"lv_name":"[pool0_tdata]", "lv_uuid":"vsG3Ck-pNCW-abk1-DxIY-2Nsf-02UJ-GvtoqO", \
    "lv_size":"1073741824", "lv_tags":"", "lv_layout":"linear", "lv_role":"private,thin,pool,data", "pool_lv":"", \
    "origin":"", "thin_id":"", "lv_health_status":"", "lv_time":"1795270328", "chunk_size":"0", \
    "lv_metadata_size":"", "zero":"unknown", "lv_when_full":"", "transaction_id":""},
                    {"lv_name":"old", "lv_uuid":"vsG3Ck-pNCW-abk1-DxIY-2Nsf-02UJ-GvtoqP", "lv_size":"1073741824", \
    "lv_tags":"", "lv_layout":"linear", "lv_role":"public,origin,thickorigin", "pool_lv":"", "origin":"", \
    "thin_id":"", "lv_health_status":"", "lv_time":"1795270328", "chunk_size":"0", "lv_metadata_size":"", \
    "zero":"unknown", "lv_when_full":"", "transaction_id":""},
                    {"lv_name":"pool0", "lv_uuid":"OnWHAd-Cav1-H9AV-xpNE-wK4b-NzWa-B3Itfo", "lv_size":"1073741824", \
    "lv_tags":"", "lv_layout":"thin,pool", "lv_role":"private", "pool_lv":"", "origin":"", "thin_id":"", \
    "lv_health_status":"", "lv_time":"1795270328", "chunk_size":"65536", "lv_metadata_size":"4194304", \
    "zero":"zero", "lv_when_full":"queue", "transaction_id":"4"}
                ]
            }
        ]
    }
    """

  @Test func `a report becomes a group with all that is in it`() throws {
    let groups = try Report.parse(Self.text)
    let group = try #require(groups.first)
    #expect(groups.count == 1)
    #expect(group.uuid == "5fuCrE-yKbg-DRgs-5mPa-DDTB-kemw-cKkVg9")
    #expect(group.sequence == 19)
    #expect(group.extentSize == .mib(4))
    #expect(group.isWritable)
    #expect(group.metadataFree == ByteCount(514048))
    #expect(group.physicalVolumes.map(\.isAllocatable) == [true, false])
    #expect(group.missingDevices.map(\.name) == ["[unknown]"])
    #expect(Set(group.volumes.keys) == ["csi_c", "csi_r", "pool0_tdata", "old", "pool0"])
    #expect(
      group.volumes["csi_c"]
        == LogicalVolume(
          name: "csi_c", uuid: "0Azrch-VJgV-O7f4-FJxP-qVpu-ec1w-BX8j2J", size: .mib(64),
          tags: ["csi.v=1", "csi.n=a=2cb"], layout: .thin, poolName: "pool0", origin: "csi_a", thinID: 3,
          transactionID: 2, created: 1_795_270_336))
    #expect(group.volumes["csi_r"]?.layout == .raid)
    #expect(group.volumes["csi_r"]?.health == "partial")
    #expect(group.volumes["pool0_tdata"]?.isInternal == true)
    #expect(group.volumes["old"]?.hasDependents == true)
    let pool = try #require(group.volumes["pool0"])
    #expect(pool.layout == .thinPool && !pool.isInternal && !pool.hasDependents)
    #expect(
      pool.pool
        == LogicalVolume.Pool(
          chunkSize: .kib(64), metadataSize: .mib(4), zeroes: true, failsWhenFull: false, transactionID: 4))
  }

  @Test func `what is no report is an error`() throws {
    let damaged = [
      "", "{}", "{\"report\": 1}", "{\"report\": [{\"pv\": []}]}", String(Self.text.dropLast(20)),
      Self.text.replacing("vg_seqno", with: "seqno"), Self.text.replacing("\"4194304\"", with: "\"4m\""),
    ]
    for text in damaged {
      #expect(throws: StorageError.self) { try Report.parse(text) }
    }
    #expect(try Report.parse("{\"report\": []}").isEmpty)
  }

  // MARK: identity of new volumes

  private static let notes = """
    Getting device info for vg0-pool0-tpool [LVM-0TpvMRbZl0jLDR0dt5Qf94pvvs05bEuSOnWHAdCav1H9AVxpNEwK4bNzWaB3Itfo-tpool].
    dm message   (254:2) [ opencount flush ]  create_thin 2 [16384] (*1)
    dm message   (254:2) [ opencount flush ]  set_transaction_id 1 2 [16384] (*1)
    Getting device info for vg0-csi_v [LVM-0TpvMRbZl0jLDR0dt5Qf94pvvs05bEuStZFL4hSq4lLLXUPUfPxscqEAcIKJDoWy].
    """
  private static let group = "0TpvMR-bZl0-jLDR-0dt5-Qf94-pvvs-05bEuS"

  @Test func `LVM's debug messages tell the identity of a new thin volume`() {
    let facts = NewVolumeFacts(notes: Self.notes, path: LVPath("vg0", "csi_v"), groupUUID: Self.group)
    #expect(facts?.uuid == "tZFL4h-Sq4l-LLXU-PUfP-xscq-EAcI-KJDoWy")
    #expect(facts?.thinID == 2)
    let cut = Self.notes.replacing("create_thin 2", with: "create_snap 7 2")
    #expect(NewVolumeFacts(notes: cut, path: LVPath("vg0", "csi_v"), groupUUID: Self.group)?.thinID == 7)
  }

  @Test func `what the messages do not tell for certain is left to a report`() {
    let path = LVPath("vg0", "csi_v")
    let doubtful = [
      "", Self.notes.replacing("create_thin 2", with: "delete 2"), Self.notes.replacing("vg0-csi_v", with: "vg0-csi_w"),
      Self.notes.replacing("DoWy]", with: "DoW]"), Self.notes.replacing("create_thin 2", with: "create_thin x"),
      Self.notes + "\ndm message   (254:2) [ opencount flush ]  create_thin 3 [16384] (*1)",
    ]
    for notes in doubtful { #expect(NewVolumeFacts(notes: notes, path: path, groupUUID: Self.group) == nil) }
    #expect(NewVolumeFacts(notes: Self.notes, path: path, groupUUID: "xxxxxx-bZl0-jLDR-0dt5-Qf94-pvvs-05bEuS") == nil)
  }

  // MARK: the pipe

  @Test func `replies survive the pipe, and what is no reply is told`() {
    let reply = Reply(status: 5, output: "a\nü\n", errors: "", notes: String(repeating: "x", count: 70_000))
    #expect(Reply(reply.bytes) == reply)
    #expect(Frame.count(Frame.length(0x0102_0304)) == 0x0102_0304)
    #expect(Frame.of([7, 8]) == [2, 0, 0, 0, 7, 8])
    for bytes in [[], [1], reply.bytes.dropLast(), reply.bytes + [0], [1, 255, 255, 255, 255]] as [[UInt8]] {
      #expect(Reply(Array(bytes)) == nil)
    }
  }
}

@Suite struct SystemDirectoryTests {
  @Test func `the host's devices and locks count, ours wins where a driver needs it`() {
    let host = """
      devices {
      \tuse_devicesfile=0
      \tglobal_filter=["a|^/dev/sd|","r|.*|"]
      }
      global {
      \tuse_aio=1
      \tlocking_dir="/run/lock/other"
      \tthin_check_options=["-q"]
      }
      activation {
      \tudev_sync=0
      \tvolume_list=["vg9"]
      }
      backup {
      \tbackup=1
      }
      """
    let text = SystemDirectory.configuration(host: host, lockDirectory: nil, hasUdev: true)
    let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
    for wanted in [
      "global_filter=[\"a|^/dev/sd|\",\"r|.*|\"]", "use_devicesfile=0", "locking_dir=\"/run/lock/other\"",
      "thin_check_options=[\"-q\"]", "use_aio=0", "udev_sync=1", "backup=0", "monitoring=0", "time_format=\"%s\"",
    ] {
      #expect(lines.count { $0 == wanted } == 1, "\(wanted)")
    }
    for unwanted in ["use_aio=1", "udev_sync=0", "backup=1", "volume_list=[\"vg9\"]"] {
      #expect(!lines.contains { $0 == unwanted }, "\(unwanted)")
    }
    #expect(SystemDirectory.lockDirectory(host: host) == "/run/lock/other")
    let told = SystemDirectory.configuration(host: host, lockDirectory: "/locks", hasUdev: false)
    #expect(told.contains("locking_dir=\"/locks\"") && !told.contains("/run/lock/other"))
    #expect(told.contains("udev_sync=0"))
    #expect(SystemDirectory.lockDirectory(host: "") == nil)
  }
}

@Suite struct PoolStatusTests {
  private static let table = "254:0 254:1 128 0 1 skip_block_zeroing"

  @Test func `a healthy pool's figures are bytes`() throws {
    let status = try DeviceMapper.PoolStatus(
      status: "3 114/1024 10/16384 - rw no_discard_passdown queue_if_no_space - 1024", table: Self.table)
    #expect(
      status
        == DeviceMapper.PoolStatus(
          mode: .writable, needsCheck: false, transactionID: 3, usedData: .kib(640), totalData: .gib(1),
          usedMetadata: .kib(456), totalMetadata: .mib(4), holdsMetadataSnapshot: false))
  }

  @Test(arguments: [
    ("3 114/1024 16384/16384 - out_of_data_space discard_passdown error_if_no_space - 1024", "space"),
    ("3 114/1024 1/16384 - ro no_discard_passdown queue_if_no_space needs_check 1024", "check"),
    ("3 114/1024 1/16384 77 rw no_discard_passdown queue_if_no_space - 1024", "held"), ("Fail", "fail"),
    ("Error", "fail"),
  ])
  func `a pool in trouble is told apart`(text: String, what: String) throws {
    let status = try DeviceMapper.PoolStatus(status: text, table: Self.table)
    #expect((status.mode == .outOfDataSpace) == (what == "space"))
    #expect((status.mode == .readOnly && status.needsCheck) == (what == "check"))
    #expect(status.holdsMetadataSnapshot == (what == "held"))
    #expect((status.mode == .failed) == (what == "fail"))
  }

  @Test func `figures that make no sense are an error`() {
    for (status, table) in [
      ("x 1/2 1/2 - rw a b - 1", Self.table), ("1 1 1/2 - rw a b - 1", Self.table), ("1 1/2 1/2 - rw a b - 1", "254:0"),
    ] {
      #expect(throws: StorageError.self) { try DeviceMapper.PoolStatus(status: status, table: table) }
    }
  }

  @Test func `a raid's status tells each device`() {
    let status = DeviceMapper.RAIDStatus("raid1 2 aA 512/131072 resync 0 0 -")
    #expect(status == DeviceMapper.RAIDStatus(devices: "aA", inSync: 512, total: 131072, action: "resync"))
    #expect(DeviceMapper.RAIDStatus("raid1 2") == nil)
  }
}
