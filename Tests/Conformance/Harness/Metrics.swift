import Glibc
import Testing

/// What a server tells of itself over HTTP.
enum Metrics {
  private static let port = 20_000 + Int(getpid()) % 12_000

  /// Lets a server tell.
  static let environment = ["STOWAGE_HTTP_ENDPOINT": "127.0.0.1:\(port)"]

  static func read() async throws -> String {
    let request = "GET /metrics HTTP/1.1\\r\\nHost: stowage\\r\\nConnection: close\\r\\n\\r\\n"
    return try await Program.run([
      "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port) && printf '\(request)' >&3 && cat <&3",
    ]).1
  }

  /// The sum of a metric's samples.
  static func value(_ name: String) async throws -> Int {
    let samples = try await read().split(separator: "\n").filter {
      $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{")
    }
    let values = samples.compactMap { $0.split(whereSeparator: \.isWhitespace).last.flatMap { Double($0) } }
    try #require(values.count == samples.count && !values.isEmpty, "no metric \(name)")
    return Int(values.reduce(0, +))
  }
}
