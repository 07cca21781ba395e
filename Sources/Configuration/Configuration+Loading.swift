import Glibc
import Storage

extension Configuration {
  /// The variable that names the configuration file.
  package static let fileVariable = "STOWAGE_CONFIG"
  /// The variables of a backend for a quick start, when no other is configured.
  package static let dataDirectoryVariable = "STOWAGE_DATA_DIRECTORY"
  package static let volumeGroupVariable = "STOWAGE_VOLUME_GROUP"
  package static let thinPoolVariable = "STOWAGE_THIN_POOL"

  /// The one backend that a command line describes.
  package struct QuickStart: Hashable, Sendable {
    /// Makes a backend named `file`.
    package var dataDirectory: String?
    /// With `thinPool`: makes a backend named `lvm`.
    package var volumeGroup: String?
    package var thinPool: String?

    package init(dataDirectory: String? = nil, volumeGroup: String? = nil, thinPool: String? = nil) {
      self.dataDirectory = dataDirectory
      self.volumeGroup = volumeGroup
      self.thinPool = thinPool
    }

    /// What is not said here, as the environment says it.
    fileprivate func completed(by environment: [String: String]) -> QuickStart {
      func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
      return QuickStart(
        dataDirectory: dataDirectory ?? variable(dataDirectoryVariable),
        volumeGroup: volumeGroup ?? variable(volumeGroupVariable), thinPool: thinPool ?? variable(thinPoolVariable))
    }

    /// - Throws: `ConfigurationError` when it describes half a backend or two.
    fileprivate func backend() throws -> BackendConfiguration? {
      if let dataDirectory {
        guard volumeGroup == nil, thinPool == nil else {
          throw ConfigurationError(
            "--data-directory and --volume-group each make a backend: for both, write a configuration file")
        }
        let file = try FileBackendConfiguration(directory: dataDirectory)
        return BackendConfiguration(name: try Parse.backendName("file"), kind: .file(file))
      }
      switch (volumeGroup, thinPool) {
      case (nil, nil): return nil
      case (let group?, let pool?):
        let lvm = try LVMSettings(volumeGroup: group, thinPool: pool)
        return BackendConfiguration(name: try Parse.backendName("lvm"), kind: .lvm(lvm))
      default: throw ConfigurationError("--volume-group and --thin-pool belong together")
      }
    }
  }

  /// Reads defaults, file and environment, in this order.
  ///
  /// - Parameter file: the path that the command line gives; nil: what STOWAGE_CONFIG says, or none.
  /// - Throws: `ConfigurationError`.
  package static func load(
    file: String?, quickStart: QuickStart = QuickStart(), environment: [String: String]
  ) throws -> Configuration {
    var configuration = Configuration()
    if let path = file ?? environment[fileVariable], !path.isEmpty {
      try configuration.apply(file: contents(of: path), source: path)
    }
    try configuration.apply(environment: environment)
    guard let backend = try quickStart.completed(by: environment).backend() else { return configuration }
    guard configuration.backends.isEmpty else {
      let flag = if case .file = backend.kind { "--data-directory" } else { "--volume-group" }
      throw ConfigurationError("backends are configured already", source: flag)
    }
    configuration.backends = [backend]
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
