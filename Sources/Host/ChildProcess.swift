import Glibc

/// A process of our own making that we talk to over its standard input and output; its standard error is ours.
///
/// It is never killed from here: when its input ends it is to end by itself. It leads a process group of its own, so
/// that signals of our terminal are not for it.
package final class ChildProcess: Sendable {
  package let process: pid_t
  private let input: Int32
  private let output: Int32

  /// - Parameters:
  ///   - environment: all of it, as `NAME=value`.
  ///   - inheriting: becomes descriptor 3 of the child.
  /// - Throws: `SystemCallError`.
  package init(
    _ executable: String, _ arguments: [String], environment: [String], inheriting: borrowing Descriptor
  ) throws {
    let requests = try Pipe()
    let answers = try Pipe()
    process = try OwnProgram.start(
      executable, arguments, environment: environment, input: requests.reading, output: answers.writing,
      inheriting: inheriting.raw)
    input = try requests.takeWriting()
    output = try answers.takeReading()
  }

  /// Ends its input and lets it go: it is reaped when it has ended, whenever that is.
  deinit {
    close(input)
    close(output)
    OwnProgram.reap(process)
  }

  /// Writes all of it; blocks. SIGPIPE must be ignored, or blocked by this thread: the child may have ended.
  package func write(_ bytes: [UInt8]) throws { try DurableFile.writeAll(bytes, to: input, "pipe") }

  /// Exactly `count` bytes; nil when the child's output ended before. Blocks.
  package func read(_ count: Int) throws -> [UInt8]? { try Self.read(count, from: output) }

  /// Exactly `count` bytes of a descriptor; nil when it ended before.
  package static func read(_ count: Int, from descriptor: Int32) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: done), count - done)
      }
      if got < 0, errno == EINTR { continue }
      try checkLibc(got, "read", "pipe")
      if got == 0 { return nil }
      done += got
    }
    return bytes
  }

  /// Writes all bytes to a descriptor.
  package static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
    try DurableFile.writeAll(bytes, to: descriptor, "pipe")
  }
}
