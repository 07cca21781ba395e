import CGRPC

/// `strings` as an array of C strings, for the time of `body`.
func withCStrings<T>(_ strings: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> T) -> T {
  let bytes = strings.map { Array($0.utf8CString) }
  return withExtendedLifetime(bytes) {
    func next(_ index: Int, _ pointers: [UnsafePointer<CChar>?]) -> T {
      if index == bytes.count { return pointers.withUnsafeBufferPointer(body) }
      return bytes[index].withUnsafeBufferPointer { next(index + 1, pointers + [$0.baseAddress]) }
    }
    return next(0, [])
  }
}

/// The C form of core's settings, for the time of `body`.
func withArguments<T>(
  _ arguments: [(key: String, value: Int32)], _ body: (UnsafeBufferPointer<cgrpc_argument>) -> T
) -> T {
  withCStrings(arguments.map(\.key)) { keys in
    let list = zip(keys, arguments).map { cgrpc_argument(key: $0, value: $1.value) }
    return list.withUnsafeBufferPointer(body)
  }
}
