import CLinux
import Glibc
import Storage

/// One file made from another: blocks shared where possible, else the allocated ranges copied and holes left holes.
struct DataCopy: Sendable {
  let from: String
  /// What is copied of `from`, and the new file's size.
  let size: ByteCount
  /// Must not exist.
  let to: String

  /// Blocks until all is copied; nothing is durable yet.
  /// - Throws: `.dataLoss` when the source is missing or short, `.exhausted`; `to` may then be left incomplete.
  func run(_ disk: Disk, sharing: Bool) throws {
    guard let usage = try disk.usage(of: from) else { throw StorageError.dataLoss("\(from) is missing") }
    guard usage.size >= size else { throw StorageError.dataLoss("\(from) is shorter than its record says") }
    let source = try disk.open(from, O_RDONLY)
    let target = try disk.open(to, O_RDWR | O_CREAT | O_EXCL)
    if sharing {
      try Disk.check(cl_clone(target.descriptor, source.descriptor), "FICLONE", to)
      // A source that is in the middle of growing is longer than its record.
      if usage.size > size { try disk.resize(target, to: size) }
      return
    }
    try disk.resize(target, to: size)
    try copyData(from: source, to: target)
  }

  private func copyData(from source: borrowing OpenFile, to target: borrowing OpenFile) throws {
    var offset: Int64 = 0
    var inKernel = true
    while offset < size.bytes {
      let start = cl_seek_data(source.descriptor, offset)
      if start == Int64(-ENXIO) { return }
      try Disk.check(start, "lseek", from)
      let end = min(try Disk.check(cl_seek_hole(source.descriptor, start), "lseek", from), size.bytes)
      offset = start
      while offset < end {
        var count: Int64 = -Int64(EOPNOTSUPP)
        if inKernel {
          count = cl_copy_range(
            source.descriptor, offset, target.descriptor, offset, Int(min(end - offset, 1 << 27)))
          // Kernels and file systems that cannot copy, or have nothing more to copy where data was just seen.
          if [-Int64(EOPNOTSUPP), -Int64(EXDEV), -Int64(EINVAL), -Int64(ENOSYS), 0].contains(count) { inKernel = false }
        }
        if !inKernel { count = try copyChunk(at: offset, upTo: end, from: source, to: target) }
        if count == -Int64(EINTR) { continue }
        offset += try Disk.check(count, "copy_file_range", to)
      }
    }
  }

  private func copyChunk(
    at offset: Int64, upTo end: Int64, from source: borrowing OpenFile, to target: borrowing OpenFile
  ) throws -> Int64 {
    var buffer = [UInt8](repeating: 0, count: Int(min(end - offset, 1 << 18)))
    let count = pread(source.descriptor, &buffer, buffer.count, offset)
    if count < 0 { return -Int64(errno) }
    guard count > 0 else { throw StorageError.dataLoss("\(from) ends early") }
    var written = 0
    while written < count {
      let result = buffer.withUnsafeBytes {
        pwrite(target.descriptor, $0.baseAddress?.advanced(by: written), count - written, offset + Int64(written))
      }
      if result < 0, errno == EINTR { continue }
      guard result > 0 else { return -Int64(errno) }
      written += result
    }
    return Int64(count)
  }
}
