import CLinux
import Glibc
import Storage

/// A system call that failed, with what it was about. Renders as `mount /x: No such device (ENODEV)`.
package struct SystemCallError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The call's name as in section 2 of the manual, or the ioctl's name.
  package let call: String
  package let path: String?
  package let errno: Int32

  package init(_ call: String, path: String? = nil, errno: Int32) {
    self.call = call
    self.path = path
    self.errno = errno
  }

  package var description: String {
    let name = cl_errno_name(errno).map { String(cString: $0) } ?? "errno \(errno)"
    let text = cl_errno_text(errno).map { String(cString: $0) } ?? "unknown error"
    return "\(call)\(path.map { " " + $0 } ?? ""): \(text) (\(name))"
  }

  /// The error in the words of storage: no space and no quota are `.exhausted`, missing privileges `.failed` with a
  /// hint, a dependency that does not answer `.unavailable`, a path that is not what it should be `.precondition`; the
  /// rest is `.failed`.
  package var storageError: StorageError {
    switch errno {
    case ENOSPC, EDQUOT, EMFILE, ENFILE: .exhausted(description)
    // The path that somebody named is not there or is something else.
    case ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EEXIST, ENOTEMPTY: .precondition(description)
    case EPERM, EACCES: .failed("\(description); the server needs CAP_SYS_ADMIN")
    case ETIMEDOUT, EAGAIN, ENOMEM, EINTR: .unavailable(description)
    default: .failed(description)
    }
  }
}

/// Turns the result of a CLinux function (a negated errno when negative) into a value or an error.
@discardableResult
func check<Value: SignedInteger>(_ result: Value, _ call: @autoclosure () -> String, _ path: String? = nil) throws
  -> Value
{
  guard result < 0 else { return result }
  throw SystemCallError(call(), path: path, errno: Int32(-result))
}

/// Turns the result of a libc function (-1 and errno) into a value or an error. `result` must be evaluated just before.
@discardableResult
func checkLibc<Value: SignedInteger>(_ result: Value, _ call: String, _ path: String? = nil) throws -> Value {
  guard result == -1 else { return result }
  throw SystemCallError(call, path: path, errno: errno)
}
