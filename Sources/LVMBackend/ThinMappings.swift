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

/// Ranges of bytes made of ascending runs of blocks: neighbours joined, cut to the part from an offset to the end.
struct RangeCollector {
  private let start: Int64
  private let end: Int64
  private(set) var complete: [BlockRange] = []
  private var open: BlockRange?

  /// - Parameters:
  ///   - offset: ranges that end at or before it are left out.
  ///   - size: nothing lies beyond.
  init(from offset: Int64, size: Int64) {
    start = offset
    end = size
  }

  /// - Throws: `.failed` when the runs do not ascend.
  mutating func add(_ begin: Int64, _ length: Int64, blockSize: Int64) throws {
    let from = max(begin * blockSize, start / blockSize * blockSize)
    let to = min((begin + length) * blockSize, end)
    guard to > start, to > from else { return }
    if let last = open {
      guard from >= last.offset + last.length else {
        throw StorageError.failed("thin_delta tells blocks in no order")
      }
      if last.offset + last.length == from {
        open?.length += to - from
        return
      }
      complete.append(last)
    }
    open = BlockRange(offset: from, length: to - from)
  }

  /// All but the last range, which may still grow.
  mutating func takeComplete() -> [BlockRange] {
    defer { complete = [] }
    return complete
  }

  mutating func takeAll() -> [BlockRange] {
    if let open { complete.append(open) }
    open = nil
    return takeComplete()
  }
}
