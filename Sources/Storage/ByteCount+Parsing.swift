extension ByteCount {
  /// Reads a size as people write it: `10GiB`, `10Gi`, `500MB` (decimal), `4096B` or `4096`. No fractions, no signs.
  ///
  /// `10G` is refused: half the world means 10^9 by it and the other half 2^30.
  package init?(parsing text: some StringProtocol) {
    let digits = text.utf8.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    guard let number = Int64(text.prefix(digits.count)), !digits.isEmpty else { return nil }
    var unit = text.dropFirst(digits.count)
    while unit.first == " " { unit = unit.dropFirst() }
    let factor: Int64
    switch unit {
    case "", "B": factor = 1
    case "KiB", "Ki": factor = 1 << 10
    case "MiB", "Mi": factor = 1 << 20
    case "GiB", "Gi": factor = 1 << 30
    case "TiB", "Ti": factor = 1 << 40
    case "kB", "KB": factor = 1_000
    case "MB": factor = 1_000_000
    case "GB": factor = 1_000_000_000
    case "TB": factor = 1_000_000_000_000
    default: return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    self.init(bytes)
  }
}
