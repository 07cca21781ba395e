/// A metric with all its label values at one moment, as Prometheus sees it.
package struct MetricFamily: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable { case counter, gauge, histogram }

  /// One line of the exposition.
  package struct Sample: Hashable, Sendable {
    /// What follows the family's name: `_bucket`, `_sum`, `_count` or nothing.
    package var suffix: String
    package var labels: [Label]
    package var value: Double

    package init(_ value: Double, labels: [Label] = [], suffix: String = "") {
      self.suffix = suffix
      self.labels = labels
      self.value = value
    }
  }

  package struct Label: Hashable, Sendable {
    package var name: String
    package var value: String
    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  package var name: String
  package var help: String
  package var kind: Kind
  package var samples: [Sample]

  package init(_ name: String, _ kind: Kind, help: String, samples: [Sample]) {
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }
}

/// Something that can tell metrics when it is asked, with every scrape.
package protocol MetricSource: Sendable {
  func metrics() async -> [MetricFamily]
}

/// The Prometheus text format, version 0.0.4.
package enum PrometheusText {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package static func render(_ families: [MetricFamily]) -> String {
    var out = ""
    for family in families where !family.samples.isEmpty {
      out += "# HELP \(family.name) "
      escape(family.help, quotes: false, to: &out)
      out += "\n# TYPE \(family.name) \(family.kind.rawValue)\n"
      for sample in family.samples { append(sample, of: family.name, to: &out) }
    }
    return out
  }

  private static func append(_ sample: MetricFamily.Sample, of name: String, to out: inout String) {
    out += name + sample.suffix
    for (index, label) in sample.labels.enumerated() {
      out += index == 0 ? "{" : ","
      out += label.name + "=\""
      escape(label.value, quotes: true, to: &out)
      out += "\""
    }
    if !sample.labels.isEmpty { out += "}" }
    out += " " + number(sample.value) + "\n"
  }

  /// Whole numbers without a fraction: `10`, `0.25`, `+Inf`.
  static func number(_ value: Double) -> String {
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if value.isNaN { return "NaN" }
    if value == value.rounded(), abs(value) < 9e15 { return String(Int64(value)) }
    return value.description
  }

  private static func escape(_ text: String, quotes: Bool, to out: inout String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\"" where quotes: out += "\\\""
      default: out.unicodeScalars.append(scalar)
      }
    }
  }
}
