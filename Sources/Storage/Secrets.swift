/// Credentials that came with a call. Every rendering is redacted; only `reveal` gives a value away.
package struct Secrets: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let values: [String: String]

  package static let none = Secrets([:])
  package init(_ values: [String: String]) { self.values = values }

  package var isEmpty: Bool { values.isEmpty }
  /// The value of `key`, for the one place that must use it.
  package func reveal(_ key: String) -> String? { values[key] }

  package var description: String { values.isEmpty ? "none" : "***stripped***" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
