import Storage
import Testing

@testable import LVMBackend

@Suite struct ThinDeltaTests {
  /// As thin_delta 0.9.0 wrote it for two snapshots with chunks of 64 KiB.
  private static let text = """
    <superblock uuid="" time="2" transaction="3" data_block_size="128" nr_data_blocks="0">
      <diff left="2" right="3">
        <same begin="0" length="2"/>
        <different begin="2" length="4"/>
        <same begin="6" length="2"/>
        <left_only begin="8" length="2"/>
        <same begin="10" length="6"/>
        <right_only begin="300" length="3"/>
      </diff>
    </superblock>

    """

  private func ranges(
    _ text: String, step: Int, from offset: Int64, size: Int64, _ wanted: Set<ThinDelta.Kind>
  ) throws -> (ranges: [BlockRange], isComplete: Bool) {
    var delta = ThinDelta()
    var collector = BlockRangeCollector(from: offset, size: size)
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: step) {
      try delta.read(Array(bytes[start..<min(start + step, bytes.count)])) { kind, begin, length, blockSize in
        guard wanted.contains(kind) else { return }
        try collector.add(begin * blockSize..<(begin + length) * blockSize, blockSize: blockSize)
      }
    }
    return (collector.takeAll(), delta.isComplete)
  }

  private func range(_ chunk: Int64, _ count: Int64) -> BlockRange {
    BlockRange(offset: chunk << 16, length: count << 16)
  }

  @Test(arguments: [1, 7, 64, 10_000])
  func `what is told is joined, whatever pieces it comes in`(of bytes: Int) throws {
    let changed = try ranges(Self.text, step: bytes, from: 0, size: 1 << 30, [.different, .leftOnly, .rightOnly])
    #expect(changed.ranges == [range(2, 4), range(8, 2), range(300, 3)])
    #expect(changed.isComplete)
    let mapped = try ranges(
      Self.text, step: bytes, from: 0, size: 1 << 30, [.same, .different, .leftOnly, .rightOnly])
    #expect(mapped.ranges == [range(0, 16), range(300, 3)])
  }

  @Test func `ranges begin at the offset's chunk and end with the volume`() throws {
    let changed: Set<ThinDelta.Kind> = [.different, .leftOnly, .rightOnly]
    let size = (301 << 16) + 4096 as Int64
    let cut = try ranges(Self.text, step: 99, from: (4 << 16) + 1, size: size, changed)
    #expect(cut.ranges == [range(4, 2), range(8, 2), BlockRange(offset: 300 << 16, length: (1 << 16) + 4096)])
    // A range that ends exactly at the offset is not told.
    #expect(try ranges(Self.text, step: 99, from: 6 << 16, size: size, changed).ranges.first == range(8, 2))
    #expect(try ranges(Self.text, step: 99, from: size - 1, size: size, changed).ranges.count == 1)
    #expect(try ranges(Self.text, step: 99, from: 0, size: 2 << 16, changed).ranges.isEmpty)
  }

  @Test func `a text that was cut off is not complete`() throws {
    let half = String(Self.text.prefix(200))
    #expect(try !ranges(half, step: 50, from: 0, size: 1 << 30, [.same]).isComplete)
  }

  @Test(arguments: [
    "<same begin=\"0\" length=\"2\"/>\n",
    "<superblock data_block_size=\"0\">\n",
    "<superblock data_block_size=\"99999999999\">\n",
    "<superblock data_block_size=\"128\">\n<different begin=\"-1\" length=\"2\"/>\n",
    "<superblock data_block_size=\"128\">\n<different begin=\"1\" length=\"0\"/>\n",
    "<superblock data_block_size=\"128\">\n<different begin=\"9223372036854775807\" length=\"2\"/>\n",
    "<superblock data_block_size=\"128\">\n<different length=\"2\"/>\n",
    "<superblock data_block_size=\"128\">\n<different begin=\"9\" length=\"2\"/>\n<different begin=\"8\" length=\"1\"/>\n",
    String(repeating: "x", count: 5000),
  ])
  func `what makes no sense is an error`(text: String) {
    #expect(throws: StorageError.self) {
      try ranges(text, step: 100, from: 0, size: 1 << 40, [.same, .different])
    }
  }
}
