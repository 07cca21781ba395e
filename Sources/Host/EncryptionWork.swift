import CCryptsetup
import CLinux
import Glibc
import Storage

/// One step of encryption in the process that exists for it, by libcryptsetup.
struct EncryptionWork {
  private let library: ccs_library
  private let request: EncryptionRequest
  private let passphrase: UnsafeBufferPointer<CChar>
  private let complaints = Complaints()

  /// What libcryptsetup said last.
  private final class Complaints {
    var last = ""
  }

  /// - Parameter passphrase: stays the caller's, and must outlive this.
  /// - Throws: `EncryptionFailure` without the library.
  init(_ request: EncryptionRequest, _ passphrase: UnsafeRawBufferPointer) throws {
    self.request = request
    self.passphrase = passphrase.bindMemory(to: CChar.self)
    var library = ccs_library()
    if let problem = ccs_load(&library) {
      throw EncryptionFailure(errno: ENOSYS, "\(String(cString: problem)); install the package libcryptsetup12")
    }
    self.library = library
    library.set_log_callback(
      nil,
      { level, text, complaints in
        guard level == CRYPT_LOG_ERROR, let text, let complaints else { return }
        Unmanaged<Complaints>.fromOpaque(complaints).takeUnretainedValue().last = String(cString: text)
      }, Unmanaged.passUnretained(complaints).toOpaque())
    // The key goes to dm-crypt and not to a keyring: growing then needs no passphrase.
    _ = library.volume_key_keyring(nil, 0)
    // Its lock files. Where the system's directory for them cannot be had, the device's own lock must do.
    if mkdir("/run/cryptsetup", 0o700) != 0, errno != EEXIST { _ = library.metadata_locking(nil, 0) }
  }

  // MARK: the steps

  /// Makes the header, opens the device by the key at hand and leaves it blank.
  func format() throws {
    try withDevice { device in
      CrashPoint.luksBegun.reached()
      try makeHeader(device)
      CrashPoint.luksHeaderWritten.reached()
      let slot = library.keyslot_add_by_volume_key(
        device, CRYPT_ANY_SLOT, nil, 0, passphrase.baseAddress, passphrase.count)
      try check(slot, "the passphrase cannot be stored")
      CrashPoint.luksFormatted.reached()
      try check(
        activating { library.activate_by_volume_key(device, request.name, nil, 0, ccs_activate_allow_discards) },
        "cannot open")
      CrashPoint.luksOpened.reached()
      // What the device held, zeros mostly, reads as noise through encryption: nobody could tell that it is empty.
      let opened = try openedDevice()
      try BlockDevice.clear(opened.path)
      CrashPoint.luksWiped.reached()
    }
  }

  func open() throws {
    try withDevice { device in
      try check(library.load(device, CRYPT_LUKS2, nil), "no LUKS2 header")
      try activate(device, request.name)
      CrashPoint.luksOpened.reached()
      _ = try openedDevice()
    }
  }

  func test() throws {
    try withDevice { device in
      try check(library.load(device, CRYPT_LUKS2, nil), "no LUKS2 header")
      try activate(device, nil)
    }
  }

  func resize() throws {
    var device: OpaquePointer?
    try check(library.init_by_name(&device, request.name), "not open")
    defer { library.free(device) }
    try check(library.resize(device, request.name, 0), "cannot grow")
    CrashPoint.luksResized.reached()
  }

  func close() throws {
    let result = library.deactivate_by_name(nil, request.name, 0)
    if result != -ENODEV { try check(result, "cannot close") }
    var library = library
    if result == -ENODEV { try check(ccs_remove_mapping(&library, request.name), "cannot remove") }
    CrashPoint.luksClosed.reached()
  }

  // MARK: their parts

  /// AES-256 in XTS mode, argon2id with costs that do not depend on the host: 64 MiB, four passes, one thread. Nothing
  /// is measured, so a small container makes the same header as a large machine, and opens it.
  private func makeHeader(_ device: OpaquePointer?) throws {
    try check(library.set_data_offset(device, UInt64(Encryption.headerSize.bytes / 512)), "no room for a header")
    try "argon2id".withCString { type in
      try "sha256".withCString { hash in
        var costs = crypt_pbkdf_type(
          type: type, hash: hash, time_ms: 0, iterations: 4, max_memory_kb: 64 << 10, parallel_threads: 1,
          flags: ccs_no_benchmark)
        try check(library.set_pbkdf_type(device, &costs), "argon2id is impossible")
      }
    }
    var parameters = crypt_params_luks2()
    parameters.sector_size = try sectorSize()
    let result = library.format(device, CRYPT_LUKS2, "aes", "xts-plain64", nil, nil, 64, &parameters)
    try check(result, "cannot make the header")
  }

  /// Sectors of a page are far faster than those of 512 bytes, where the device is made of whole pages.
  private func sectorSize() throws -> UInt32 {
    let device = try Descriptor(opening: request.device, O_RDONLY)
    let sector = ccs_sector_size(device.raw)
    let size = try BlockDevice.size(of: device, request.device)
    return sector > 0 && sector <= 4096 && size.bytes % 4096 == 0 ? 4096 : 512
  }

  private func activate(_ device: OpaquePointer?, _ name: String?) throws {
    let flags = ccs_activate_allow_discards | (request.isReadOnly ? ccs_activate_read_only : 0)
    let slot = activating {
      library.activate_by_passphrase(
        device, name, CRYPT_ANY_SLOT, passphrase.baseAddress, passphrase.count, name == nil ? 0 : flags)
    }
    try check(slot, "cannot open")
  }

  /// A mapping that never got its table, as a death in the middle of `body` leaves it, shows in no list of devices: it
  /// is met here. One that is in use is never removed.
  private func activating(_ body: () -> Int32) -> Int32 {
    let result = body()
    var library = library
    guard result == -EEXIST, ccs_remove_mapping(&library, request.name) == 0 else { return result }
    complaints.last = ""
    return body()
  }

  private func openedDevice() throws -> MappedDevice {
    guard let opened = try MappedDevice.over(request.device).first(where: { $0.name == request.name }) else {
      throw EncryptionFailure(errno: ENODEV, "the opened device did not appear")
    }
    try opened.makeNodeIfMissing()
    return opened
  }

  private func withDevice(_ body: (OpaquePointer?) throws -> Void) throws {
    var device: OpaquePointer?
    try check(library.`init`(&device, request.device), "cannot be used")
    defer { library.free(device) }
    try body(device)
  }

  private func check(_ result: Int32, _ what: String) throws {
    guard result < 0 else { return }
    let text = complaints.last.isEmpty ? "\(SystemCallError("libcryptsetup", errno: -result))" : complaints.last
    throw EncryptionFailure(errno: -result, "\(what): \(text)")
  }
}

extension BlockDevice {
  /// Writes zeros, durably, where `DeviceContent.probe` looks for data.
  /// - Throws: `SystemCallError`.
  static func clear(_ path: String) throws {
    let device = try Descriptor(opening: path, O_RDWR)
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    for range in DeviceContent.telling(size: try size(of: device, path).bytes) {
      var offset = range.lowerBound
      while offset < range.upperBound {
        let count = pwrite(device.raw, zeros, min(zeros.count, Int(range.upperBound - offset)), off_t(offset))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw SystemCallError("write", path: path, errno: count < 0 ? errno : EIO) }
        offset += Int64(count)
      }
    }
    try device.sync(path)
  }
}
