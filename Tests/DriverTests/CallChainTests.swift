import CSI
import GRPC
import Host
import Logging
import Storage
import Synchronization
import Telemetry
import Testing

@testable import Driver

/// Keeps what is logged and observed.
private final class Record: CallObserver, LogHandler {
  private let kept = Mutex<[String]>([])
  var lines: [String] { kept.withLock { $0 } }

  func callBegan(_ method: String) { keep("began \(method)") }
  func callEnded(_ method: String, code: String, seconds: Double) { keep("ended \(method) \(code)") }

  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .info }
    set {}
  }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
  func log(event: LogEvent) {
    let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }
    keep("\(event.level) \(event.message) " + metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " "))
  }

  private func keep(_ line: String) { kept.withLock { $0.append(line) } }
}

@Suite(.serialized) struct CallChainTests {
  /// A driver behind a real socket.
  private func serving(
    start: Bool = true, _ body: (Client, Record) async throws -> Void
  ) async throws {
    try await Fixture.with { fixture in
      let record = Record()
      let driver = try Driver(
        fixture.driver.configuration, backends: fixture.driver.registry.all, logger: Logger(label: "t") { _ in record })
      if start { try await driver.start() }
      let endpoint = try Endpoint(parsing: fixture.root + "/csi.sock")
      var options = ServerOptions()
      options.lockDirectory = fixture.root
      let server = Server(
        routes: driver.routes(observer: record), pool: ThreadPool(name: "work", threads: 2), options: options)
      try server.start(on: endpoint)
      let client = Client(endpoint: endpoint)
      do { try await body(client, record) } catch {
        client.close()
        await server.shutdown(grace: .seconds(1))
        throw error
      }
      client.close()
      await server.shutdown(grace: .seconds(1))
    }
  }

  private func call<Q: CSIMessage, R: CSIMessage>(
    _ client: Client, _ method: CSI.Method<Q, R>, _ request: Q
  ) async throws -> R {
    try await client.unary(method.path, .csi(Q.self), .csi(R.self), request, timeout: .seconds(10))
  }

  @Test func `each call makes one line and one observation, without secrets`() async throws {
    try await serving { client, record in
      _ = try await call(client, Methods.probe, .init())
      _ = try await call(
        client, Methods.createVolume,
        .init(name: "pvc-1", volumeCapabilities: [Fixture.mount()], secrets: ["key": "hunter2"]))
      await expect("INVALID_ARGUMENT") { try await call(client, Methods.deleteVolume, .init()) }
      let lines = record.lines
      #expect(lines.filter { $0.hasPrefix("began") }.count == 3)
      #expect(lines.contains("ended /csi.v1.Controller/CreateVolume OK"))
      #expect(lines.contains("ended /csi.v1.Controller/DeleteVolume INVALID_ARGUMENT"))
      let logged = lines.filter { $0.hasPrefix("info call") }
      #expect(logged.count == 2)
      #expect(logged[0].contains("volume_id=pvc-1") && logged[0].contains("code=OK"))
      #expect(logged[1].contains("error=volume_id is required"))
      #expect(!lines.contains { $0.contains("hunter2") })
    }
  }

  @Test func `before the backends are prepared calls are UNAVAILABLE and Probe says not ready`() async throws {
    try await serving(start: false) { client, _ in
      #expect(try await call(client, Methods.probe, .init()).ready == false)
      _ = try await call(client, Methods.controllerGetCapabilities, .init())
      await expect("UNAVAILABLE") { try await call(client, Methods.listVolumes, .init()) }
    }
  }

  @Test func `block lists stream in order, in batches of the wanted size`() async throws {
    try await serving { client, _ in
      _ = try await call(
        client, Methods.createVolume,
        .init(
          name: "pvc-1", capacityRange: .init(requiredBytes: 16 << 20), volumeCapabilities: [Fixture.block()]))
      let snapshot = try await call(client, Methods.createSnapshot, .init(sourceVolumeID: "pvc-1", name: "s")).snapshot
      let id = try #require(snapshot).snapshotID
      func allocated(_ request: GetMetadataAllocatedRequest) async throws -> [GetMetadataAllocatedResponse] {
        var messages: [GetMetadataAllocatedResponse] = []
        let method = Methods.getMetadataAllocated
        let stream = client.serverStream(
          method.path, .csi(GetMetadataAllocatedRequest.self), .csi(GetMetadataAllocatedResponse.self), request,
          timeout: .seconds(10))
        for try await message in stream { messages.append(message) }
        return messages
      }
      let messages = try await allocated(.init(snapshotID: id, maxResults: 1))
      #expect(messages.allSatisfy { $0.volumeCapacityBytes == 16 << 20 && $0.blockMetadata.count <= 1 })
      await expect("INVALID_ARGUMENT") { try await allocated(.init()) }
      await expect("NOT_FOUND") { try await allocated(.init(snapshotID: "none")) }
      await expect("OUT_OF_RANGE") { try await allocated(.init(snapshotID: id, startingOffset: -1)) }
      await expect("OUT_OF_RANGE") { try await allocated(.init(snapshotID: id, startingOffset: 17 << 20)) }
    }
  }
}
