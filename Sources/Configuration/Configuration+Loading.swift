import Glibc
import Storage

extension Configuration {
  /// The variable that names the configuration file.
  package static let fileVariable = "STOWAGE_CONFIG"
  /// The variable that names a directory to serve volumes from when no backend is configured.
  package static let dataDirectoryVariable = "STOWAGE_DATA_DIRECTORY"

  /// Reads defaults, file and environment, in this order.
  ///
  /// - Parameters:
  ///   - file: the path that the command line gives; nil: what STOWAGE_CONFIG says, or none.
  ///   - dataDirectory: makes one backend named `file` when no other is configured.
  /// - Throws: `ConfigurationError`.
  package static func load(
    file: String?, dataDirectory: String?, environment: [String: String]
  ) throws -> Configuration {
    var configuration = Configuration()
    if let path = file ?? environment[fileVariable], !path.isEmpty {
      try configuration.apply(file: contents(of: path), source: path)
    }
    try configuration.apply(environment: environment)
    let directory = dataDirectory ?? environment[dataDirectoryVariable].flatMap { $0.isEmpty ? nil : $0 }
    guard let directory else { return configuration }
    guard configuration.backends.isEmpty else {
      throw ConfigurationError("backends are configured already", source: "--data-directory")
    }
    configuration.backends = [
      BackendConfiguration(
        name: try Parse.backendName("file"), kind: .file(try FileBackendConfiguration(directory: directory)))
    ]
    return configuration
  }

  /// The bytes of a small file.
  /// - Throws: `ConfigurationError` when it cannot be read or is larger than any configuration may be.
  package static func contents(of path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ConfigurationError("cannot open it: \(String(cString: strerror(errno)))", source: path)
    }
    defer { close(descriptor) }
    let limit = YAMLReader.maximumBytes + 1
    var count = 0
    var readError: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
      while count < limit {
        let n = read(descriptor, buffer.baseAddress?.advanced(by: count), limit - count)
        if n < 0, errno == EINTR { continue }
        if n < 0 { readError = errno }
        guard n > 0 else { break }
        count += n
      }
      initialized = count
    }
    guard readError == 0 else {
      throw ConfigurationError("cannot read it: \(String(cString: strerror(readError)))", source: path)
    }
    return bytes
  }

  /// The environment of this process.
  package static var processEnvironment: [String: String] {
    var result: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        result[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return result
  }
}
