/// Which kind of storage is under test, and what scenarios must know of it: environment `STOWAGE_TEST_BACKEND`, the
/// file backend when unset.
enum Backend: String, Sendable, CustomStringConvertible {
  case file, lvm

  static let underTest: Backend = {
    let name = Program.environment["STOWAGE_TEST_BACKEND"] ?? "file"
    guard let backend = Backend(rawValue: name) else { fatalError("STOWAGE_TEST_BACKEND must be file or lvm") }
    return backend
  }()

  var description: String { rawValue }

  /// Sizes of volumes are multiples of this many bytes.
  var sizeUnit: Int64 { self == .lvm ? mib(4) : 4096 }

  /// Parameters that make another volume than none do; it can be snapshotted and cloned all the same.
  var parameters: [String: String] { self == .lvm ? ["mkfsOptions": "-m 0"] : ["provisioning": "thick"] }

  /// Parameters that say what holds without any.
  var defaultParameters: [String: String] { self == .lvm ? ["deviceClass": "thin"] : ["provisioning": "sparse"] }

  /// How many volumes are many at once. A logical volume takes some tenths of a second to make.
  var crowd: Int { self == .lvm ? 16 : 100 }
}
