import Host
import Storage

/// What staging has to do with an encrypted volume's own device before the device on top of it can be used. Chosen so
/// that no order of crashes and repeats leads to a second header over data: one is made only while the volume was never
/// used and nothing is found on it, or while the volume's record says that the making of one was begun.
enum EncryptionDecision: Hashable, Sendable {
  /// Record that the making begins, make the header, open the device, record that nothing was made on it yet.
  case make
  case open

  /// What libblkid calls LUKS.
  private static let signature = "crypto_LUKS"

  /// - Throws: `.precondition` when the volume cannot be used encrypted without risk.
  static func decide(state: FormatState, content: DeviceContent, readOnly: Bool) throws -> EncryptionDecision {
    switch (state, content) {
    case (_, .unknown(let why)):
      throw StorageError.precondition("cannot tell what the volume holds, so it is left alone: \(why)")
    // Nobody has used the volume: a header that is there, or a part of one, is ours.
    case (.encrypting, .empty), (.encrypting, .holds(signature)), (.encrypting, .holds(DeviceContent.unknownData)),
      (.unformatted, .empty), (.unrecorded, .empty):
      guard !readOnly else { throw StorageError.precondition("the volume is empty and asked for read-only") }
      return .make
    case (.unformatted, .holds(signature)), (.unrecorded, .holds(signature)), (.formatting, .holds(signature)),
      (.formatted, .holds(signature)), (.copied, .holds(signature)):
      return .open
    case (_, .holds(let type)):
      throw StorageError.precondition("the volume holds \(type) and is not encrypted; it is left alone")
    case (.formatting, .empty), (.formatted, .empty), (.copied, .empty):
      throw StorageError.precondition(
        "the volume was in use before, yet no LUKS header is found on it; it is not made again")
    }
  }
}
