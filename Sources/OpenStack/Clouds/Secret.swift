/// A password, a token or the like. Every rendering is redacted; only `reveal` gives it away.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let text: String

  package init(_ text: String) { self.text = text }

  /// The text, for the one place that must send it.
  package func reveal() -> String { text }

  package var description: String { "***stripped***" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
