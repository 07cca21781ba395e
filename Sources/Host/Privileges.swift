import CLinux

/// What the kernel lets this process do (capabilities(7)).
package enum Privileges {
  /// The capabilities that the driver needs, by their number in linux/capability.h.
  package enum Capability: Int, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case chown = 0
    case dacOverride = 1
    case fowner = 3
    case sysAdmin = 21
    /// For growing a mounted ext4.
    case sysResource = 24
    /// For making device nodes.
    case mknod = 27

    package var description: String {
      switch self {
      case .chown: "CAP_CHOWN"
      case .dacOverride: "CAP_DAC_OVERRIDE"
      case .fowner: "CAP_FOWNER"
      case .sysAdmin: "CAP_SYS_ADMIN"
      case .sysResource: "CAP_SYS_RESOURCE"
      case .mknod: "CAP_MKNOD"
      }
    }
  }

  /// Keeps the secrets that calls carry out of core dumps, and this process' memory out of other users' hands.
  package static func forbidDumps() { cl_forbid_dumps() }

  /// Whether the capability is effective now (/proc/self/status).
  package static func has(_ capability: Capability) -> Bool {
    guard let bytes = try? FileContents.read("/proc/self/status") else { return false }
    let status = String(decoding: bytes, as: UTF8.self)
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
      let digits = line.split(whereSeparator: \.isWhitespace).last, let set = UInt64(digits, radix: 16)
    else { return false }
    return set & 1 << UInt64(capability.rawValue) != 0
  }
}
