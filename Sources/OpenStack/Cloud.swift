import Storage

/// The name of one configured cloud, as clouds.yaml or the driver's configuration has it.
package struct CloudName: Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String
  package init(_ rawValue: String) { self.rawValue = rawValue }
  package var description: String { rawValue }
}
