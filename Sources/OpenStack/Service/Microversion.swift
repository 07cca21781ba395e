/// A microversion, such as 3.44; compared part by part.
package struct Microversion: Sendable, Hashable, Comparable, CustomStringConvertible {
  package var major: Int
  package var minor: Int

  package init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads `3.44`; nil when it is none.
  package init?(_ text: some StringProtocol) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2,
      parts.allSatisfy({ (1...4).contains($0.count) && $0.allSatisfy { (0x30...0x39).contains($0) } })
    else { return nil }
    let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int($1 - 0x30) } }
    self.init(numbers[0], numbers[1])
  }

  package static func < (a: Microversion, b: Microversion) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
  package var description: String { "\(major).\(minor)" }
}

/// Which microversions a request can do with.
package struct MicroversionNeed: Sendable, Hashable {
  /// Below this one the request makes no sense.
  package var floor: Microversion
  /// Nothing newer is asked for.
  package var wish: Microversion

  package init(floor: Microversion, wish: Microversion) {
    self.floor = floor
    self.wish = max(floor, wish)
  }

  /// The one to ask for, of those that both sides know; nil when there is none.
  package func choose(from offered: MicroversionRange, atMost limit: Microversion?) -> Microversion? {
    let best = min(wish, offered.maximum, limit ?? wish)
    return best >= max(floor, offered.minimum) ? best : nil
  }
}

/// What a service offers.
package struct MicroversionRange: Sendable, Hashable {
  package var minimum: Microversion
  package var maximum: Microversion

  package init(minimum: Microversion, maximum: Microversion) {
    self.minimum = minimum
    self.maximum = maximum
  }
}
