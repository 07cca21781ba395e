import GRPC
import Host
import Storage
import Testing

@testable import Driver

@Suite struct PublishDecisionTests {
  private func place(_ target: String, readOnly: Bool = false, _ type: AccessType = .mount) -> Publication {
    Publication(target: target, type: type, isReadOnly: readOnly, filesystem: type == .mount ? "ext4" : nil)
  }

  @Test(arguments: AccessMode.allCases)
  func `a volume that is published nowhere is published`(_ mode: AccessMode) throws {
    #expect(try PublishDecision.decide(place("/a"), mode: mode, existing: []) == .publish)
  }

  @Test(arguments: AccessMode.allCases)
  func `the same target with the same arguments is a success`(_ mode: AccessMode) throws {
    #expect(try PublishDecision.decide(place("/a"), mode: mode, existing: [place("/a")]) == .alreadyPublished)
  }

  @Test(arguments: AccessMode.allCases)
  func `the same target with other arguments is incompatible`(_ mode: AccessMode) {
    for wanted in [place("/a", readOnly: true), place("/a", .block)] {
      #expect(throws: StorageError.incompatible("the volume is published at target_path with another capability")) {
        try PublishDecision.decide(wanted, mode: mode, existing: [place("/b"), place("/a")])
      }
    }
  }

  @Test func `only SINGLE_NODE_SINGLE_WRITER refuses another target`() {
    for mode in AccessMode.allCases {
      let decision = Result { try PublishDecision.decide(place("/b"), mode: mode, existing: [place("/a")]) }
      switch decision {
      case .success(let decision): #expect(decision == .publish && mode != .singleNodeSingleWriter)
      case .failure(StorageError.precondition): #expect(mode == .singleNodeSingleWriter)
      case .failure(let error): Issue.record(error)
      }
    }
  }

  @Test func `a request that names no file system takes any`() throws {
    var wanted = place("/a")
    wanted.filesystem = nil
    #expect(try PublishDecision.decide(wanted, mode: .singleNodeWriter, existing: [place("/a")]) == .alreadyPublished)
    wanted.filesystem = "xfs"
    #expect(throws: StorageError.self) {
      try PublishDecision.decide(wanted, mode: .singleNodeWriter, existing: [place("/a")])
    }
  }
}

@Suite struct FormatDecisionTests {
  private func decide(
    _ state: FormatState, _ content: DeviceContent, wanted: FilesystemType? = nil, readOnly: Bool = false
  ) throws -> FormatDecision {
    try FormatDecision.decide(state: state, content: content, wanted: wanted, fallback: .ext4, readOnly: readOnly)
  }

  @Test func `an empty volume that was never formatted is formatted`() throws {
    #expect(try decide(.unformatted, .empty) == .make(.ext4))
    #expect(try decide(.unformatted, .empty, wanted: .xfs) == .make(.xfs))
    #expect(try decide(.unrecorded, .empty, wanted: .btrfs) == .make(.btrfs))
  }

  @Test func `an interrupted mkfs is made again`() throws {
    #expect(try decide(.formatting(.xfs), .empty) == .make(.xfs))
    #expect(try decide(.formatting(.xfs), .holds(type: "xfs")) == .make(.xfs))
    #expect(try decide(.formatting(.xfs), .holds(type: "xfs"), wanted: .ext4) == .make(.ext4))
    #expect(throws: StorageError.self) { try decide(.formatting(.xfs), .holds(type: "btrfs")) }
    // mke2fs writes its superblock last, mkfs.btrfs a name of its own first.
    #expect(try decide(.formatting(.ext4), .holds(type: DeviceContent.unknownData)) == .make(.ext4))
  }

  @Test func `a formatted volume is never formatted again`() throws {
    for content in [
      DeviceContent.empty, .unknown("read error"), .holds(type: "LVM2_member"), .holds(type: DeviceContent.unknownData),
    ] {
      #expect(throws: StorageError.self) { try decide(.formatted, content) }
      #expect(throws: StorageError.self) { try decide(.copied(.ext4), content) }
    }
    #expect(try decide(.formatted, .holds(type: "ext4")) == .mount(.ext4))
    #expect(try decide(.formatted, .holds(type: "xfs")) == .mount(.xfs))
  }

  @Test(arguments: [
    FormatState.unformatted, .formatting(.ext4), .formatting(.xfs), .formatted, .copied(.ext4), .unrecorded,
  ])
  func `on doubt nothing is formatted`(_ state: FormatState) {
    #expect(throws: StorageError.self) { try decide(state, .unknown("contradicting signatures")) }
    if case .formatting = state { return }
    #expect(throws: StorageError.self) { try decide(state, .holds(type: DeviceContent.unknownData)) }
  }

  @Test func `a file system of another type is refused, never replaced`() {
    for state in [FormatState.unformatted, .formatted, .unrecorded, .copied(.ext4)] {
      #expect(throws: StorageError.self) { try decide(state, .holds(type: "ext4"), wanted: .xfs) }
    }
  }

  @Test func `a copy gets an identity of its own`() throws {
    #expect(try decide(.copied(.btrfs), .holds(type: "btrfs")) == .renew(.btrfs))
  }

  @Test func `what was there before the volume had a record is adopted`() throws {
    #expect(try decide(.unformatted, .holds(type: "ext4")) == .adopt(.ext4))
    #expect(try decide(.unrecorded, .holds(type: "ext4")) == .mount(.ext4))
  }

  @Test func `read-only staging formats nothing`() {
    for state in [FormatState.unformatted, .formatting(.ext4), .unrecorded] {
      #expect(throws: StorageError.self) { try decide(state, .empty, readOnly: true) }
    }
  }
}

@Suite struct StatusTableTests {
  @Test func `every storage error has its code`() {
    let table: [(StorageError, StatusCode)] = [
      (.invalid("m"), .invalidArgument), (.notFound("m"), .notFound), (.incompatible("m"), .alreadyExists),
      (.precondition("m"), .failedPrecondition), (.outOfRange("m"), .outOfRange), (.exhausted("m"), .resourceExhausted),
      (.unsupported("m"), .unimplemented), (.permissionDenied("m"), .permissionDenied),
      (.unauthenticated("m"), .unauthenticated), (.dataLoss("m"), .dataLoss), (.failed("m"), .internal),
      (.busy("m"), .aborted), (.staleToken("m"), .aborted), (.unavailable("m"), .unavailable),
    ]
    for (error, code) in table {
      #expect(Status(describing: error, deadlinePassed: false) == Status(code, "m"))
    }
  }

  @Test func `other errors are internal, cancellation says why`() {
    struct Strange: Error {}
    let failed = SystemCallError("mount", path: "/x", errno: 5)
    let full = SystemCallError("open", path: "/x", errno: 28)
    #expect(Status(describing: failed, deadlinePassed: false).code == .internal)
    #expect(Status(describing: full, deadlinePassed: false).code == .resourceExhausted)
    #expect(Status(describing: Strange(), deadlinePassed: false).code == .internal)
    #expect(Status(describing: CancellationError(), deadlinePassed: false).code == .cancelled)
    #expect(Status(describing: CancellationError(), deadlinePassed: true).code == .deadlineExceeded)
    #expect(Status(describing: Status(.dataLoss, "x"), deadlinePassed: true) == Status(.dataLoss, "x"))
  }

  @Test func `messages stay below what Kubernetes keeps`() {
    let status = Status(describing: StorageError.failed(String(repeating: "ä", count: 5000)), deadlinePassed: false)
    #expect(status.message.utf8.count <= 1024)
    #expect(!status.message.isEmpty)
  }
}
