/// Credentials of a request (`csi_secret` in the protocol). Every rendering is redacted; only `reveal` gives them away.
package struct SecretMap: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  /// What stands in for anything that must not be shown.
  package static let stripped = "***stripped***"

  private let values: [String: String]

  package init(_ values: [String: String] = [:]) { self.values = values }
  package init(dictionaryLiteral elements: (String, String)...) {
    values = Dictionary(elements, uniquingKeysWith: { _, last in last })
  }

  package var isEmpty: Bool { values.isEmpty }

  /// The credentials themselves, for the one place that must use or send them.
  package func reveal() -> [String: String] { values }
}

extension SecretMap: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { values.isEmpty ? "none" : Self.stripped }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
