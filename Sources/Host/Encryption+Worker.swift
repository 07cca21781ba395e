import CCryptsetup
import CLinux
import Glibc
import Storage

extension Encryption {
  /// The body of `stowage luks VERB`: reads a request from standard input, does it, and answers with one line, `ok` or
  /// `error ERRNO TEXT`. Signals that end a service are not for it: a header half-written helps nobody.
  /// - Parameter arguments: those after the sub-command.
  /// - Returns: the exit status.
  package static func runWorker(_ arguments: [String]) -> Int32 {
    for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
    cl_forbid_dumps()
    // The answer says what is wrong; libdevmapper talks on standard error besides, which is the server's log.
    let nowhere = cl_open("/dev/null", O_WRONLY, 0)
    if nowhere >= 0 { dup2(nowhere, 2) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: EncryptionRequest.limit, alignment: 8)
    ccs_lock_memory(buffer.baseAddress, buffer.count)
    let outcome = Result { try work(arguments.first ?? "", buffer) }
    ccs_wipe(buffer.baseAddress, buffer.count)
    buffer.deallocate()
    switch outcome {
    case .success:
      say("ok")
      return 0
    case .failure(let failure as EncryptionFailure):
      say(failure.line)
      return 1
    case .failure(let failure as SystemCallError):
      say(EncryptionFailure(errno: failure.errno == EPERM ? EACCES : failure.errno, "\(failure)").line)
      return 1
    case .failure(let failure):
      say(EncryptionFailure(errno: EPROTO, "\(failure)").line)
      return 2
    }
  }

  private static func work(_ verb: String, _ buffer: UnsafeMutableRawBufferPointer) throws {
    var count = 0
    while count < buffer.count {
      let more = read(0, buffer.baseAddress?.advanced(by: count), buffer.count - count)
      if more < 0, errno == EINTR { continue }
      guard more >= 0 else { throw SystemCallError("read", path: "standard input", errno: errno) }
      guard more > 0 else { break }
      count += more
    }
    let (request, range) = try EncryptionRequest.parse(verb, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    try lock(request.device)
    let work = try EncryptionWork(request, UnsafeRawBufferPointer(rebasing: buffer[range]))
    switch request.verb {
    case .format: try work.format()
    case .open: try work.open()
    case .test: try work.test()
    case .resize: try work.resize()
    case .close: try work.close()
    }
  }

  private static func say(_ line: String) {
    try? DurableFile.writeAll(Array("\(line)\n".utf8), to: 1, "standard output")
  }

  /// Lets one process at a time work on an encrypted device: until this one ends. It is the lock by which udev keeps
  /// from a device that is being written to, so others may have it for moments too.
  private static func lock(_ path: String) throws {
    let device = cl_open(path, O_RDONLY, 0)
    try check(device, "open", path)
    for _ in 0..<200 {
      if flock(device, LOCK_EX | LOCK_NB) == 0 { return }
      guard errno == EWOULDBLOCK || errno == EINTR else { throw SystemCallError("flock", path: path, errno: errno) }
      usleep(50_000)
    }
    throw EncryptionFailure(errno: EBUSY, "another program works on the device")
  }
}
