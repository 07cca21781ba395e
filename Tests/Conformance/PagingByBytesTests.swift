import CSI
import GRPC
import Testing

extension Conformance {
  /// An answer without a limit stays below what clients receive: 4 MiB.
  @Suite struct PagingByBytes {
    /// Each listed volume takes some 560 bytes with its source, place and condition: 8 000 of them pass 4 MiB.
    @Test(.onlyFor(.file, "no volume group holds 8 000 volumes, and it is the driver that cuts answers"))
    func `a listing that is too large for one answer is cut by bytes and told whole`() async throws {
      try await withServer(.configured(overprovision: 1000)) { server in
        let count = 8_000
        let suffix = String(repeating: "x", count: 70)
        try await withThrowingTaskGroup { group in
          for worker in 0..<16 {
            group.addTask {
              for number in stride(from: worker, to: count, by: 16) {
                let name = "v\(number)-\(suffix)"
                _ = try await server.create(.named(name, bytes: mib(1), .block()))
              }
            }
          }
          try await group.waitForAll()
        }
        var told = 0
        var pages = 0
        var token = ""
        repeat {
          let page = try await server.call(Methods.listVolumes, ListVolumesRequest(startingToken: token))
          #expect(try page.serialized().count < 4 << 20)
          told += page.entries.count
          pages += 1
          token = page.nextToken
        } while !token.isEmpty
        #expect(told == count)
        #expect(pages > 1)
      }
    }
  }
}
