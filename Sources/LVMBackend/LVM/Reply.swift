import CLVM
import Storage

/// What a command of LVM came to.
struct Reply: Hashable, Sendable {
  /// One of CLVM.h's numbers.
  var status: UInt8
  /// What the program would have printed: reports, confirmations and warnings.
  var output: String
  /// Error messages, one a line.
  var errors: String
  /// Debug messages that tell the identity of what was made (see `NewVolumeFacts`).
  var notes: String

  var isSuccess: Bool { Int32(status) == CLVM_SUCCEEDED }

  /// As the payload of a frame.
  var bytes: [UInt8] {
    [status] + [output, errors, notes].flatMap { text -> [UInt8] in Frame.length(text.utf8.count) + Array(text.utf8) }
  }

  init(status: UInt8, output: String = "", errors: String = "", notes: String = "") {
    self.status = status
    self.output = output
    self.errors = errors
    self.notes = notes
  }

  /// nil for what is no reply.
  init?(_ bytes: [UInt8]) {
    guard let status = bytes.first else { return nil }
    var rest = bytes.dropFirst()
    var texts: [String] = []
    for _ in 0..<3 {
      guard rest.count >= 4 else { return nil }
      let count = Frame.count(Array(rest.prefix(4)))
      rest = rest.dropFirst(4)
      guard rest.count >= count else { return nil }
      texts.append(String(decoding: rest.prefix(count), as: UTF8.self))
      rest = rest.dropFirst(count)
    }
    guard rest.isEmpty else { return nil }
    self.init(status: status, output: texts[0], errors: texts[1], notes: texts[2])
  }
}

/// How the server and its worker talk: a length of four bytes, the smallest first, then so many bytes. A request is a
/// command line, an answer a `Reply`.
enum Frame {
  /// More than any report has; a longer length is no frame of ours.
  static let limit = 256 << 20

  static func length(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) } }
  static func count(_ bytes: [UInt8]) -> Int {
    bytes.prefix(4).enumerated().reduce(0) { $0 | Int($1.element) << ($1.offset * 8) }
  }
  static func of(_ payload: [UInt8]) -> [UInt8] { length(payload.count) + payload }
}

/// The uuid and the thin id of a new thin volume, as LVM's debug messages tell them: a report would cost another
/// command. What they do not tell must be read from a report.
struct NewVolumeFacts: Hashable, Sendable {
  var uuid: String
  var thinID: Int64

  /// - Parameters:
  ///   - notes: messages such as `Getting device info for vg0-a [LVM-<group's uuid><volume's>].` and
  ///     `dm message   (254:2) [ opencount flush ]  create_thin 2 [16384] (*1)`.
  ///   - groupUUID: with hyphens, as LVM reports it.
  init?(notes: String, path: LVPath, groupUUID: String) {
    var uuid: String?
    var thinID: Int64?
    let prefix = "Getting device info for \(DeviceMapper.name(of: path)) [LVM-\(groupUUID.filter { $0 != "-" })"
    for line in notes.split(separator: "\n") {
      if line.hasPrefix(prefix), line.hasSuffix("].") {
        uuid = Self.hyphenated(String(line.dropFirst(prefix.count).dropLast(2))) ?? uuid
      } else if line.hasPrefix("dm message") {
        let words = line.split(separator: " ")
        guard let verb = words.firstIndex(where: { $0 == "create_thin" || $0 == "create_snap" }) else { continue }
        // Two volumes made by one command are not what we asked for.
        guard thinID == nil, verb + 1 < words.count else { return nil }
        thinID = Int64(words[verb + 1])
      }
    }
    guard let uuid, let thinID else { return nil }
    self.uuid = uuid
    self.thinID = thinID
  }

  /// LVM's way to write its uuids: groups of 6, 4, 4, 4, 4, 4 and 6 characters.
  static func hyphenated(_ text: String) -> String? {
    guard text.utf8.count == 32, text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else { return nil }
    var rest = Substring(text)
    return [6, 4, 4, 4, 4, 4, 6].map { count in
      defer { rest = rest.dropFirst(count) }
      return String(rest.prefix(count))
    }.joined(separator: "-")
  }
}
