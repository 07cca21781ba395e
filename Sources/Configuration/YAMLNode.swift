/// A piece of a YAML document and where it stands. Scalars stay text: what they mean is decided by who asks for them,
/// so `0660`, `1.10` and `no` arrive as they were written.
package struct YAMLNode: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    /// - Parameter isPlain: written without quotes, so that `~` and the empty text mean "nothing".
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    /// In the order of the document, keys unique.
    case mapping([Entry])
  }

  package struct Entry: Hashable, Sendable {
    package let key: String
    /// The line of the key, from 1.
    package let line: Int
    package let value: YAMLNode
  }

  package let content: Content
  /// The line that the node begins on, from 1.
  package let line: Int

  /// Whether the document says nothing here (`key:`, `key: ~`, `key: null`).
  package var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { ["", "~", "null"].contains(text) } else { false }
  }

  /// What the node is, for messages.
  package var kind: String {
    switch content {
    case .scalar: isNull ? "nothing" : "a value"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}

/// What is wrong with a configuration, and where.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file, environment variable or flag that holds the wrong value; nil when nothing does.
  package var source: String?
  package var line: Int?
  package var message: String

  package init(_ message: String, source: String? = nil, line: Int? = nil) {
    self.message = message
    self.source = source
    self.line = line
  }

  /// `stowage.yaml:3: mode must be controller, node or all`.
  package var description: String {
    guard let source else { return message }
    return line.map { "\(source):\($0): \(message)" } ?? "\(source): \(message)"
  }

  /// The same error, told to lie in `source` unless it knows better.
  func located(in source: String? = nil, line: Int? = nil) -> ConfigurationError {
    var error = self
    if error.source == nil { error.source = source }
    if error.line == nil { error.line = line }
    return error
  }
}
