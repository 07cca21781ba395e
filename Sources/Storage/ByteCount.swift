/// A size in bytes. Never negative when it comes from a validated request.
package struct ByteCount: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let bytes: Int64
  package init(_ bytes: Int64) { self.bytes = bytes }

  package static let zero = ByteCount(0)
  package static func kib(_ n: Int64) -> ByteCount { ByteCount(n << 10) }
  package static func mib(_ n: Int64) -> ByteCount { ByteCount(n << 20) }
  package static func gib(_ n: Int64) -> ByteCount { ByteCount(n << 30) }
  package static func tib(_ n: Int64) -> ByteCount { ByteCount(n << 40) }

  package static func < (a: Self, b: Self) -> Bool { a.bytes < b.bytes }
  package static func + (a: Self, b: Self) -> Self { ByteCount(a.bytes + b.bytes) }
  package static func - (a: Self, b: Self) -> Self { ByteCount(a.bytes - b.bytes) }

  /// The next multiple of `unit` bytes, or nil when that passes Int64.
  package func rounded(upTo unit: Int64) -> ByteCount? {
    let remainder = bytes % unit
    guard remainder != 0 else { return self }
    let (sum, overflow) = bytes.addingReportingOverflow(unit - remainder)
    return overflow ? nil : ByteCount(sum)
  }

  /// Exact and short: `10GiB`, `1536MiB`, `1000B`.
  package var description: String {
    for (suffix, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)]
    where bytes != 0 && bytes % (1 << shift) == 0 {
      return "\(bytes >> shift)\(suffix)"
    }
    return "\(bytes)B"
  }
}

/// What the CO asked of a volume's size (CSI spec, CapacityRange), checked at the door.
package struct CapacityRange: Hashable, Sendable {
  package let required: ByteCount?
  package let limit: ByteCount?

  package static let unspecified = CapacityRange(required: nil, limit: nil)

  private init(required: ByteCount?, limit: ByteCount?) {
    self.required = required
    self.limit = limit
  }

  /// - Parameters: in bytes; 0 means "not set", as on the wire.
  /// - Throws: `.invalid` for negative numbers or a range with neither set, `.outOfRange` for limit < required.
  package init(requiredBytes: Int64, limitBytes: Int64) throws {
    guard requiredBytes >= 0, limitBytes >= 0 else {
      throw StorageError.invalid("capacity_range must not be negative")
    }
    guard requiredBytes > 0 || limitBytes > 0 else {
      throw StorageError.invalid("capacity_range needs required_bytes or limit_bytes")
    }
    if requiredBytes > 0, limitBytes > 0, limitBytes < requiredBytes {
      throw StorageError.outOfRange("limit_bytes \(limitBytes) is below required_bytes \(requiredBytes)")
    }
    self.init(
      required: requiredBytes > 0 ? ByteCount(requiredBytes) : nil, limit: limitBytes > 0 ? ByteCount(limitBytes) : nil)
  }

  /// Whether a volume of `capacity` satisfies this range.
  package func contains(_ capacity: ByteCount) -> Bool {
    capacity >= (required ?? .zero) && (limit.map { capacity <= $0 } ?? true)
  }

  /// The size to allocate: the required size (or `fallback`, cut to the limit) rounded up to `unit`.
  ///
  /// - Throws: `.outOfRange` when rounding passes the limit, or the size leaves `minimum...maximum`.
  package func size(fallback: ByteCount, unit: Int64, minimum: ByteCount, maximum: ByteCount) throws -> ByteCount {
    let wanted = max(required ?? min(fallback, limit ?? fallback), minimum)
    guard let size = wanted.rounded(upTo: unit), size <= maximum else {
      throw StorageError.outOfRange("\(wanted) is above the largest volume of \(maximum)")
    }
    if let limit, size > limit {
      throw StorageError.outOfRange("the smallest volume that fits is \(size), above limit_bytes \(limit.bytes)")
    }
    return size
  }
}
