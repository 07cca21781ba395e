import Glibc
import Host
import Storage
import Testing

/// All tests of this target that touch devices and mounts, one after the other.
@Suite(.serialized) struct HostSuite {}

/// A directory of a test's own, with the devices and mounts made in it. All of it goes away with `clean`.
struct Scratch {
  let path: String

  /// Runs `body` with a new scratch directory, which is taken apart afterwards whatever happened.
  static func use<Result>(_ body: (Scratch) async throws -> Result) async throws -> Result {
    var template = Array("/tmp/stowage-host-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemCallError("mkdtemp", errno: errno) }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let scratch = Scratch(path: path)
    do {
      let result = try await body(scratch)
      await scratch.clean()
      return result
    } catch {
      await scratch.clean()
      throw error
    }
  }

  private func clean() async {
    let mounts = ((try? MountTable.read())?.entries ?? []).filter { $0.mountPoint.hasPrefix(path + "/") }
    FreezeGuard.thawAll(mounts.map(\.mountPoint))
    for mount in mounts.reversed() { try? Mount.unmount(mount.mountPoint) }
    for loop in (try? LoopDevice.all()) ?? [] where loop.backingFile?.hasPrefix(path + "/") == true {
      try? loop.detach()
    }
    _ = try? await Command.run(["rm", "-rf", "--one-file-system", path], limit: .seconds(60))
    #expect(!HostPath.exists(path), "\(path) is left behind")
  }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// A sparse file of zeros.
  @discardableResult
  func image(_ name: String, _ size: ByteCount) throws -> String {
    let file = try Descriptor(opening: file(name), O_RDWR | O_CREAT, mode: 0o600)
    guard ftruncate(file.raw, off_t(size.bytes)) == 0 else { throw SystemCallError("ftruncate", errno: errno) }
    return self.file(name)
  }

  func loop(_ name: String, _ size: ByteCount, readOnly: Bool = false) throws -> LoopDevice {
    try LoopDevice.attach(image(name, size), readOnly: readOnly)
  }

  @discardableResult
  func directory(_ name: String) throws -> String {
    try HostPath.createDirectory(file(name))
    return file(name)
  }

  /// A mounted file system of the smallest comfortable size: its device and its mount point.
  func mounted(_ type: FilesystemType, _ name: String) async throws -> (loop: LoopDevice, path: String) {
    let loop = try loop("\(name).img", Self.size(type))
    try await Filesystem.make(type, on: loop.path, options: [])
    let directory = try directory(name)
    try Mount.filesystem(
      loop.path, at: directory, type: type.rawValue, options: Filesystem.mountOptions(type))
    return (loop, directory)
  }

  static func size(_ type: FilesystemType) -> ByteCount {
    switch type {
    case .ext4: .mib(16)
    case .xfs: .mib(320)
    case .btrfs: .mib(256)
    }
  }
}

func write(_ text: String, to path: String) throws {
  let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
  let bytes = Array(text.utf8)
  guard Glibc.write(file.raw, bytes, bytes.count) == bytes.count else {
    throw SystemCallError("write", path: path, errno: errno)
  }
}

/// Whether something becomes true; asks for a minute at most, so that a failing test ends and is cleaned up after.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
  for _ in 0..<6000 {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(10))
  }
  return false
}

/// Writes `bytes` at an offset of an existing file or device and makes them durable.
func poke(_ bytes: [UInt8], at offset: Int64, into path: String) throws {
  let file = try Descriptor(opening: path, O_RDWR)
  guard pwrite(file.raw, bytes, bytes.count, off_t(offset)) == bytes.count else {
    throw SystemCallError("pwrite", path: path, errno: errno)
  }
  try file.sync()
}

func text(_ path: String) throws -> String { String(decoding: try FileContents.read(path), as: UTF8.self) }

/// The errno of a failing system call, or nil when it succeeded.
func failure(_ body: () throws -> Void) throws -> Int32? {
  do {
    try body()
    return nil
  } catch let error as SystemCallError {
    return error.errno
  }
}
