import HTTP
import JSONText
import Synchronization
import Testing

@testable import OpenStack

/// Volumes by id and status, as a service has them.
private final class Stock: Sendable {
  private let statuses = Mutex<[String: String]>([:])
  var all: [String: String] { statuses.withLock { $0 } }
  func set(_ ids: some Sequence<String>, _ status: String?) {
    statuses.withLock { statuses in for id in ids { statuses[id] = status } }
  }
}

/// A Cinder that lists its stock, or the part of it that `listed` allows.
private struct FakeCinder {
  let stock = Stock()
  let transport: RecordingService
  let client: ServiceClient

  init(
    maximum: String = "3.71", filterIsRefused: Bool = false,
    listed: @escaping @Sendable (HTTPRequest, String, String) -> Bool = { _, _, _ in true }
  ) {
    let stock = stock
    transport = service { request in
      if request.url == "http://c/v3/" { return try Replies.versions(maximum) }
      if request.path.contains("/volumes/detail") {
        if filterIsRefused, request.path.contains("updated_at") {
          return HTTPResponse(400, ["badRequest": ["message": "Invalid filters updated_at are found"]])
        }
        let volumes = stock.all.filter { listed(request, $0.key, $0.value) }
        return Replies.volumes(try volumes.map { try Replies.volume($0.key, $0.value) })
      }
      guard request.path.contains("/volumes/"), let id = request.path.split(separator: "/").last,
        let status = stock.all[String(id)]
      else { return nil }
      return HTTPResponse(
        200, ["volume": try Replies.volume(String(id), status)], headers: ["Date": "Sat, 21 Nov 2026 17:00:00 GMT"])
    }
    client = ServiceClient(.blockStorage, session: Session(cloud: Replies.cloud, transport: transport))
  }

  func poller(_ schedule: PollSchedule = .quick, metadata: [String: String] = [:]) -> Poller<Cinder.Volume> {
    Poller(.volumes(client, metadata: metadata), schedule: schedule)
  }

  var lists: [String] { transport.requests.map(\.path).filter { $0.contains("/volumes/detail") } }
  var gets: Int {
    transport.requests.count { $0.method == .get && $0.path.contains("/volumes/") && !$0.path.contains("detail") }
  }
}

extension PollSchedule {
  fileprivate static var quick: PollSchedule {
    var schedule = PollSchedule()
    schedule.first = .milliseconds(100)
    schedule.longest = .milliseconds(120)
    return schedule
  }
}

extension Poller where Object == Cinder.Volume {
  fileprivate func until(_ status: String, _ id: String, seconds: Double = 30) async throws -> String {
    guard let id = ResourceID(id) else { throw JSONError("no id") }
    return try await wait(for: id, deadline: .soon(seconds)) { volume in
      guard let volume else { throw JSONError("gone") }
      return volume.status == status ? volume.id.rawValue : nil
    }
  }

  fileprivate func untilGone(_ id: String) async throws -> Bool {
    guard let id = ResourceID(id) else { throw JSONError("no id") }
    return try await wait(for: id, deadline: .soon(), expectsEnd: true) { $0 == nil ? true : nil }
  }
}

@Suite struct `The shared poller` {
  private let ids = (0..<50).map { "v\($0)" }

  /// Waits until so many lists were read.
  private func lists(_ count: Int, _ cinder: FakeCinder) async {
    while cinder.lists.count < count { try? await Task.sleep(for: .milliseconds(1)) }
  }

  @Test func `fifty volumes in transition cost one list a round`() async throws {
    let cinder = FakeCinder()
    cinder.stock.set(ids, "creating")
    let poller = cinder.poller()
    let before = try await withThrowingTaskGroup { group in
      for id in ids { group.addTask { _ = try await poller.until("available", id) } }
      await lists(3, cinder)
      cinder.stock.set(ids, "available")
      let before = cinder.lists.count
      try await group.waitForAll()
      return before
    }
    // The last one before may have been under way while the volumes changed.
    #expect((before...before + 1).contains(cinder.lists.count))
    #expect(cinder.gets == 0)
    #expect(poller.count == 0)
  }

  @Test func `few volumes are asked for by id, and nothing when nobody waits`() async throws {
    let cinder = FakeCinder()
    cinder.stock.set(ids, "available")
    let poller = cinder.poller()
    #expect(try await poller.until("available", "v1") == "v1")
    #expect(cinder.gets == 1)
    #expect(cinder.lists.isEmpty)
    let before = cinder.transport.requests.count
    try await Task.sleep(for: .milliseconds(200))
    #expect(cinder.transport.requests.count == before)
  }

  @Test func `lists ask for changes once the service's clock is known, and now and then for all`() async throws {
    let cinder = FakeCinder()
    cinder.stock.set(ids, "creating")
    let poller = cinder.poller(metadata: ["cluster": "c"])
    try await withThrowingTaskGroup { group in
      for id in ids { group.addTask { _ = try await poller.until("available", id) } }
      await lists(17, cinder)
      cinder.stock.set(ids, "available")
      try await group.waitForAll()
    }
    // 17:00:00 less the overlap, and less what passed since.
    #expect(cinder.lists[0].contains("metadata=%7B%22cluster%22%3A%22c%22%7D"))
    #expect(cinder.lists[1].contains("updated_at=gt%3A2026-11-21T16%3A59%3A"))
    let whole = cinder.lists.indices.filter { !cinder.lists[$0].contains("updated_at") }
    #expect(whole.prefix(3) == [0, 7, 15])
  }

  @Test(arguments: [("3.59", false), ("3.71", true)])
  func `where changes cannot be asked for, all are`(maximum: String, filterIsRefused: Bool) async throws {
    let cinder = FakeCinder(maximum: maximum, filterIsRefused: filterIsRefused)
    cinder.stock.set(ids, "creating")
    let poller = cinder.poller()
    try await withThrowingTaskGroup { group in
      for id in ids { group.addTask { _ = try await poller.until("available", id) } }
      await lists(6, cinder)
      cinder.stock.set(ids, "available")
      try await group.waitForAll()
    }
    #expect(cinder.lists.count { $0.contains("updated_at") } == (filterIsRefused ? 1 : 0))
  }

  @Test func `what a list of changes does not tell has not changed`() async throws {
    let cinder = FakeCinder { request, _, status in !request.path.contains("updated_at") || status == "available" }
    cinder.stock.set(ids, "creating")
    let poller = cinder.poller()
    try await withThrowingTaskGroup { group in
      for id in ids { group.addTask { _ = try await poller.until("available", id) } }
      await lists(4, cinder)
      cinder.stock.set(ids, "available")
      try await group.waitForAll()
    }
    #expect(cinder.gets == 0)
  }

  @Test func `volumes that vanish are seen in a whole list, or asked for once where a list is not whole`() async throws
  {
    for metadata in [[:], ["cluster": "c"]] {
      let cinder = FakeCinder()
      cinder.stock.set(ids, "deleting")
      let poller = cinder.poller(metadata: metadata)
      let before = try await withThrowingTaskGroup { group in
        for id in ids { group.addTask { _ = try await poller.untilGone(id) } }
        await lists(2, cinder)
        cinder.stock.set(ids, nil)
        let before = cinder.lists.count
        try await group.waitForAll()
        return before
      }
      #expect(cinder.gets == (metadata.isEmpty ? 0 : 50))
      #expect((before...before + 1).contains(cinder.lists.count))
    }
  }

  @Test func `volumes that no list of the cluster has are asked for, few in a round`() async throws {
    let cinder = FakeCinder(maximum: "3.59") { _, id, _ in id.count == 2 }
    cinder.stock.set(ids, "creating")
    let poller = cinder.poller(metadata: ["cluster": "c"])
    try await withThrowingTaskGroup { group in
      for id in ids { group.addTask { _ = try await poller.until("available", id) } }
      await lists(5, cinder)
      #expect(cinder.gets <= 40 + 5 * 3)
      cinder.stock.set(ids, "available")
      try await group.waitForAll()
    }
  }

  @Test func `a cancelled wait ends at once, and a late one says what it saw last`() async throws {
    let cinder = FakeCinder()
    cinder.stock.set(ids, "creating")
    cinder.stock.set(["v0"], "available")
    let poller = cinder.poller()
    // From here on a look is one request.
    _ = try await poller.until("available", "v0")
    let leaver = Task { try await poller.until("available", "v1") }
    while poller.count < 1 { await Task.yield() }
    leaver.cancel()
    await #expect(throws: CancellationError.self) { try await leaver.value }
    #expect(poller.count == 0)
    do {
      _ = try await poller.until("available", "v2", seconds: 2)
      Issue.record("the volume was never available")
    } catch let error as OpenStackError {
      #expect(error.kind == .timedOut)
      #expect(error.service == .blockStorage)
      #expect(error.message == "volume v2 is still creating")
    }
  }

  @Test func `what the decision throws ends the wait`() async throws {
    let cinder = FakeCinder()
    cinder.stock.set(["v1"], "error")
    let poller = cinder.poller()
    let id = try #require(ResourceID("v1"))
    await #expect(throws: JSONError("broken")) {
      _ = try await poller.wait(for: id, deadline: .soon()) { (volume: Cinder.Volume?) -> Int? in
        if volume?.status == "error" { throw JSONError("broken") }
        return nil
      }
    }
    await #expect(throws: JSONError("gone")) { _ = try await poller.until("available", "v9") }
  }

  @Test func `a service that fails is asked again, one that refuses is not`() async throws {
    let rounds = Counter()
    let source = PollSource<Int>(
      .blockStorage, kind: "thing",
      get: { _, _ in
        if rounds.next() < 3 { throw OpenStackError(.blockStorage, .status(500), "no") }
        if rounds.now > 3 { throw OpenStackError(.blockStorage, .status(403), "never") }
        return 7
      }, list: { _, _ in .init(objects: [:], isWhole: true) }, state: { "\($0)" })
    let poller = Poller(source, schedule: .quick)
    let id = try #require(ResourceID("x"))
    #expect(try await poller.wait(for: id, deadline: .soon()) { $0 } == 7)
    await #expect(throws: OpenStackError(.blockStorage, .status(403), "never")) {
      _ = try await poller.wait(for: id, deadline: .soon()) { $0 }
    }
  }

  @Test func `looks become rarer`() {
    let schedule = PollSchedule()
    #expect(schedule.interval(after: 0) == .milliseconds(300))
    #expect(schedule.interval(after: 1) == .milliseconds(450))
    #expect(schedule.interval(after: 100) == .seconds(3))
  }
}
