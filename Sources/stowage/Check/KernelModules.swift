import Glibc
import Host

/// The modules of the running kernel as /lib/modules lists them.
enum KernelModules {
  /// Whether there is a module of this name, to be loaded or built in.
  static func hasFile(of name: String) -> Bool {
    var system = utsname()
    guard uname(&system) == 0 else { return false }
    let release = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return ["modules.builtin", "modules.dep"].contains { list in
      guard let bytes = try? FileContents.read("/lib/modules/\(release)/\(list)") else { return false }
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { $0.contains("/\(name).ko") }
    }
  }
}
