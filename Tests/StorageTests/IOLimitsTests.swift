import Storage
import Testing

@Suite struct `Limits as mutable parameters` {
  @Test func `values have one spelling`() throws {
    let asked = ["iops-read": "0100", "iops-write": "max", "bps-read": "10Mi", "bps-write": "1GiB"]
    let canonical = try IOLimits.canonical(mutableParameters: asked)
    #expect(canonical == ["iops-read": "100", "iops-write": "max", "bps-read": "10485760", "bps-write": "1073741824"])
    let limits = try IOLimits(mutableParameters: asked)
    #expect(limits == IOLimits(readOperations: 100, readBytes: 10 << 20, writeBytes: 1 << 30))
    #expect(try IOLimits(mutableParameters: limits.mutableParameters) == limits)
    #expect(try IOLimits(mutableParameters: [:]).isEmpty)
  }

  @Test(arguments: [
    ("iops", "1"), ("", "1"), ("iops-read", ""), ("iops-read", "0"), ("iops-read", "+1"), ("iops-read", "1Ki"),
    ("iops-write", "4294967295"), ("bps-read", "1k"), ("bps-read", "1M"), ("bps-read", "1MB"), ("bps-write", "1 Mi"),
    ("bps-write", "9223372036854775808"), ("bps-write", "9999999999Ti"), ("bps-write", "MAX"), ("bps-read", "0Mi"),
  ])
  func `what is no limit is invalid`(key: String, value: String) {
    #expect(throws: StorageError.self) { try IOLimits.canonical(mutableParameters: [key: value]) }
    #expect(throws: StorageError.self) { try IOLimits(mutableParameters: [key: value]) }
  }

  @Test func `what is left out stays and what is lifted is gone`() {
    let present = ["iops-read": "1", "iops-write": "2"]
    let merged = IOLimits.merging(["iops-write": "3", "bps-read": "4"], into: present)
    #expect(merged == ["iops-read": "1", "iops-write": "3", "bps-read": "4"])
    #expect(IOLimits.merging(["iops-read": "max", "bps-read": "max"], into: present) == ["iops-write": "2"])
  }
}
