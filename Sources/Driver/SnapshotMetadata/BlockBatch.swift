import CSI
import Storage

/// Cuts block ranges into messages: at most so many entries as the caller takes, and small enough for any client.
struct BlockBatch: Sendable {
  /// 24 bytes an entry at most: well below 3 MiB.
  static let largest = 65_536

  private let limit: Int
  private var pending: [BlockMetadata] = []
  private(set) var messages = 0

  /// - Parameter maxResults: as on the wire, 0 means no limit.
  /// - Throws: `.invalid` for a negative number.
  init(maxResults: Int32) throws {
    guard maxResults >= 0 else { throw StorageError.invalid("max_results must not be negative") }
    limit = maxResults == 0 ? Self.largest : min(Int(maxResults), Self.largest)
  }

  /// Takes a range; gives a batch back when it is full.
  mutating func add(_ range: BlockRange) -> [BlockMetadata]? {
    pending.append(BlockMetadata(byteOffset: range.offset, sizeBytes: range.length))
    return pending.count == limit ? take() : nil
  }

  /// What is left at the end; an empty batch when nothing was told at all, so that the caller learns the capacity.
  mutating func rest() -> [BlockMetadata]? { pending.isEmpty && messages > 0 ? nil : take() }

  private mutating func take() -> [BlockMetadata] {
    defer {
      pending = []
      messages += 1
    }
    return pending
  }
}
