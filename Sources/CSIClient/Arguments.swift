import ArgumentParser
import CSI
import struct Storage.ByteCount

/// `key=value` on the command line; the value may hold further '='.
struct KeyValue: ExpressibleByArgument, Hashable, Sendable {
  let key: String
  let value: String

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
    key = String(argument[..<equals])
    value = String(argument[argument.index(after: equals)...])
  }
}

extension [KeyValue] {
  /// - Throws: `ValidationError` when a key stands twice.
  func dictionary(_ flag: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for pair in self {
      guard result.updateValue(pair.value, forKey: pair.key) == nil else {
        throw ValidationError("\(flag) gives the key \"\(pair.key)\" twice.")
      }
    }
    return result
  }
}

/// A size: `10GiB`, `512Mi`, `4096`.
struct Size: ExpressibleByArgument, Hashable, Sendable {
  let bytes: Int64

  init?(argument: String) {
    guard let count = ByteCount(parsing: argument) else { return nil }
    bytes = count.bytes
  }
}

/// A span of time: `60`, `90s`, `5m`, `250ms`; `0` for no limit.
struct Span: ExpressibleByArgument, Hashable, Sendable {
  let duration: Duration

  init(seconds: Int64) { duration = .seconds(seconds) }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), number <= 1_000_000_000 else { return nil }
    switch argument.dropFirst(digits.count) {
    case "", "s": duration = .seconds(number)
    case "ms": duration = .milliseconds(number)
    case "m": duration = .seconds(number * 60)
    case "h": duration = .seconds(number * 3600)
    default: return nil
    }
  }
}

/// An access mode: `single-node-writer`, `SINGLE_NODE_WRITER` or Kubernetes' short forms.
struct ModeArgument: ExpressibleByArgument, Hashable, Sendable {
  typealias Mode = VolumeCapability.AccessMode.Mode
  let mode: Mode

  private static let short: [String: String] = [
    "RWO": "SINGLE_NODE_WRITER", "ROX": "MULTI_NODE_READER_ONLY", "RWX": "MULTI_NODE_MULTI_WRITER",
    "RWOP": "SINGLE_NODE_SINGLE_WRITER",
  ]

  init(_ mode: Mode) { self.mode = mode }

  init?(argument: String) {
    let name = String(argument.uppercased().map { $0 == "-" ? "_" : $0 })
    guard let mode = Mode(name: Self.short[name] ?? name) else { return nil }
    self.mode = mode
  }

  static var allValueStrings: [String] {
    Mode.allCases.dropFirst().map { String($0.name.lowercased().map { $0 == "_" ? "-" : $0 }) }
  }
}

/// How answers are shown.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case table, json
}

extension CapacityRange {
  /// nil when neither is given: the driver chooses.
  init?(_ size: Size?, _ limit: Size?) {
    guard size != nil || limit != nil else { return nil }
    self.init(requiredBytes: size?.bytes ?? 0, limitBytes: limit?.bytes ?? 0)
  }
}
