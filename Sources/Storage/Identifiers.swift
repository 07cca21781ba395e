/// The name under which a backend is configured; the first part of a qualified volume id.
///
/// One to 32 characters: lower-case letters, digits and '-', beginning with a letter.
package struct BackendName: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let rawValue: String

  /// - Throws: `StorageError.invalid` when `name` breaks the rule above.
  package init(validating name: String) throws {
    let first = name.utf8.first.map { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 } ?? false
    let rest = name.utf8.allSatisfy {
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
        || $0 == UInt8(ascii: "-")
    }
    guard first, rest, name.utf8.count <= 32 else {
      throw StorageError.invalid("backend name must match [a-z][a-z0-9-]{0,31}")
    }
    rawValue = name
  }

  package var description: String { rawValue }
  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// What one backend calls one of its volumes, snapshots or groups. Meaningless without its backend.
package struct NativeID: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let rawValue: String
  package init(_ rawValue: String) { self.rawValue = rawValue }
  package var description: String { rawValue }
  /// For messages: ids come from outside and may be long.
  package var shortened: String { String(rawValue.prefix(128)) }
  package static func < (a: Self, b: Self) -> Bool { a.rawValue.utf8.lexicographicallyPrecedes(b.rawValue.utf8) }
}

/// The id of a node as NodeGetInfo reports it: at most 256 bytes (CSI spec, NodeGetInfoResponse).
package struct NodeID: Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String
  package init(_ rawValue: String) { self.rawValue = rawValue }
  package var description: String { rawValue }
}

/// A volume, snapshot or group id as the CO sees it: `<backend>:<native>`, or the bare native id of the default backend.
package struct QualifiedID: Hashable, Sendable, CustomStringConvertible {
  package let backend: BackendName
  package let native: NativeID
  private let isDefault: Bool

  /// - Parameter defaultBackend: the backend whose ids carry no prefix.
  package init(backend: BackendName, native: NativeID, defaultBackend: BackendName) {
    self.backend = backend
    self.native = native
    isDefault = backend == defaultBackend
  }

  /// Reads an id that the CO sent. An id whose prefix names no known backend belongs to the default backend whole:
  /// native ids may hold colons.
  package init(parsing id: String, backends: some Collection<BackendName>, defaultBackend: BackendName) {
    if let colon = id.firstIndex(of: ":"),
      let named = backends.first(where: { $0.rawValue == id[..<colon] })
    {
      self.init(
        backend: named, native: NativeID(String(id[id.index(after: colon)...])), defaultBackend: defaultBackend)
    } else {
      self.init(backend: defaultBackend, native: NativeID(id), defaultBackend: defaultBackend)
    }
  }

  package var description: String { isDefault ? native.rawValue : "\(backend):\(native)" }
}
