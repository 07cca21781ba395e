import Storage

/// Reads the XML of thin_delta(8) as it comes: which blocks two thin volumes share, and which not. One element a line;
/// of each only its name and its numbers count.
struct ThinDelta {
  /// What becomes of a run of blocks.
  enum Kind: String {
    /// The same block of the pool in both.
    case same
    case different
    case leftOnly = "left_only"
    case rightOnly = "right_only"
  }

  /// In bytes; 0 until the header was read.
  private(set) var blockSize: Int64 = 0
  /// The last line was there.
  private(set) var isComplete = false
  private var line: [UInt8] = []

  /// Lines are short; a longer one is not what was asked for.
  private static let longest = 4096

  typealias Found = (Kind, _ begin: Int64, _ length: Int64, _ blockSize: Int64) throws -> Void

  /// Calls `found` for each run that is told in these bytes, in their order; numbers are in blocks.
  /// - Throws: `.failed` when this is not what thin_delta writes.
  mutating func read(_ bytes: [UInt8], _ found: Found) throws {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        try end(found)
      } else {
        line.append(byte)
        guard line.count <= Self.longest else { throw Self.nonsense }
      }
    }
  }

  private mutating func end(_ found: Found) throws {
    defer { line.removeAll(keepingCapacity: true) }
    let text = String(decoding: line, as: UTF8.self)
    guard let name = text.split(whereSeparator: { " \t<>/".contains($0) }).first.map(String.init) else { return }
    if name == "superblock" {
      if text.contains("</superblock") {
        isComplete = true
      } else {
        guard let sectors = Self.number("data_block_size", in: text), 1...(2 << 20) ~= sectors else {
          throw Self.nonsense
        }
        blockSize = sectors * 512
      }
    } else if let kind = Kind(rawValue: name), !text.contains("</") || text.contains("begin=") {
      guard blockSize > 0, let begin = Self.number("begin", in: text), let length = Self.number("length", in: text),
        begin >= 0, length > 0, begin <= Int64.max / blockSize - length
      else { throw Self.nonsense }
      try found(kind, begin, length, blockSize)
    }
  }

  private static let nonsense = StorageError.failed("thin_delta writes what this program does not understand")

  private static func number(_ name: String, in text: String) -> Int64? {
    guard let start = text.firstRange(of: " \(name)=\"")?.upperBound else { return nil }
    return Int64(text[start...].prefix { $0 != "\"" })
  }
}
