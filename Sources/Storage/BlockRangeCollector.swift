/// Ranges of bytes made of ascending runs of blocks: neighbours joined, cut to the part from an offset to the end.
package struct BlockRangeCollector {
  /// Ranges are handed on in batches of about this many.
  private static let batch = 256
  private let start: Int64
  private let end: Int64
  private var complete: [BlockRange] = []
  private var open: BlockRange?

  /// - Parameters:
  ///   - offset: ranges that end at or before it are left out.
  ///   - size: nothing lies beyond.
  package init(from offset: Int64, size: Int64) {
    start = offset
    end = size
  }

  /// - Parameter blockSize: a range that holds the offset begins with the block that does.
  /// - Throws: `StorageError.failed` when the runs do not ascend.
  package mutating func add(_ run: Range<Int64>, blockSize: Int64) throws {
    let from = max(run.lowerBound, start / blockSize * blockSize)
    let to = min(run.upperBound, end)
    guard to > start, to > from else { return }
    if let last = open {
      guard from >= last.offset + last.length else { throw StorageError.failed("changed blocks are told in no order") }
      if last.offset + last.length == from {
        open?.length += to - from
        return
      }
      complete.append(last)
    }
    open = BlockRange(offset: from, length: to - from)
  }

  /// A batch, when there are enough for one. The last range is kept: it may still grow.
  package mutating func takeBatch() -> [BlockRange]? {
    guard complete.count >= Self.batch else { return nil }
    defer { complete = [] }
    return complete
  }

  /// All that were not taken yet.
  package mutating func takeAll() -> [BlockRange] {
    if let open { complete.append(open) }
    open = nil
    defer { complete = [] }
    return complete
  }
}
