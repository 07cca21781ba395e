/// The uid of a Kubernetes pod: a UUID, or the 32 hexadecimal digits of a pod that the node itself defines.
package struct PodUID: Hashable, Sendable, CustomStringConvertible {
  package let text: String

  /// nil for anything else: the text becomes part of a path.
  package init?(parsing text: some StringProtocol) {
    let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard groups.allSatisfy({ $0.allSatisfy(Self.isHexadecimal) }) else { return nil }
    guard [[32], [8, 4, 4, 4, 12]].contains(groups.map(\.count)) else { return nil }
    self.text = String(text)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
      || UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte
  }

  /// The pod that the kubelet asks for with this target path:
  /// `.../pods/<uid>/volumes/kubernetes.io~csi/<volume>/mount` for a file system,
  /// `.../plugins/kubernetes.io/csi/volumeDevices/publish/<volume>/<uid>` for a device; nil for paths of others.
  package init?(targetPath: String) {
    let parts = Array(targetPath.split(separator: "/"))
    func matches(_ pattern: [String?]) -> Bool {
      parts.count > pattern.count && zip(parts.suffix(pattern.count), pattern).allSatisfy { $1 == nil || $0 == $1! }
    }
    if matches(["pods", nil, "volumes", "kubernetes.io~csi", nil, "mount"]) {
      self.init(parsing: parts[parts.count - 5])
    } else if matches(["kubernetes.io", "csi", "volumeDevices", "publish", nil, nil]) {
      self.init(parsing: parts[parts.count - 1])
    } else {
      return nil
    }
  }

  package var description: String { text }
}
