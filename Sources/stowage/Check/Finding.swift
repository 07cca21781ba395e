import CSI

/// One thing that `stowage check` looked at.
struct Finding: Hashable, Sendable {
  enum Level: String, Hashable, Sendable {
    /// As it should be.
    case ok
    /// Serves, with less than it could.
    case warn
    /// Does not serve, or not what is configured.
    case fail
  }

  var level: Level
  var subject: String
  var message: String
  /// What to do about it; empty when all is well.
  var advice: String

  static func ok(_ subject: String, _ message: String) -> Finding {
    Finding(level: .ok, subject: subject, message: message, advice: "")
  }
  static func warn(_ subject: String, _ message: String, do advice: String) -> Finding {
    Finding(level: .warn, subject: subject, message: message, advice: advice)
  }
  static func fail(_ subject: String, _ message: String, do advice: String) -> Finding {
    Finding(level: .fail, subject: subject, message: message, advice: advice)
  }

  var json: JSON {
    [
      "level": .string(level.rawValue), "subject": .string(subject), "message": .string(message),
      "advice": .string(advice),
    ]
  }

  /// `warn  mkfs.xfs   not found` and what to do in a second line.
  func text(width: Int) -> String {
    let pad = { (text: String, width: Int) in text + String(repeating: " ", count: max(0, width - text.count)) }
    let line = "\(pad(level.rawValue, 4))  \(pad(subject, width))  \(message)"
    return advice.isEmpty ? line : "\(line)\n      \(pad("", width))  -> \(advice)"
  }
}
