import CLVM
import Storage

extension Reply {
  /// What went wrong, in the words of storage with LVM's own: LVM tells by text alone, in English.
  func failure(of command: LVMCommand) -> StorageError {
    let text = "LVM: \(explanation)"
    let lower = errors.lowercased()
    func says(_ phrases: String...) -> Bool { phrases.contains { lower.contains($0) } }

    if says("circular buffer", "exceeds maximum metadata size") {
      return .exhausted(
        "\(text); the metadata area of volume group \(command.group) is full: remove volumes, or make groups with "
          + "vgcreate --metadatasize")
    }
    if says(
      "insufficient free space", "insufficient suitable", "insufficient free extents", "no free extents",
      "not enough free", "out of space", "no space for", "free space in thin pool")
    {
      return .exhausted(text)
    }
    if says("threshold", "out of data space", "maximum supported", "no space left on device") {
      return .exhausted(text)
    }
    if says("failed to find logical volume", "failed to find \"", "not found in volume group") {
      return .notFound(text)
    }
    if says("already exists in volume group") { return .incompatible(text) }
    if says("volume group \"\(command.group.lowercased())\" not found") {
      return .unavailable(text)
    }
    if says("multiple vgs found with the same name", "is used by vgs") {
      return .precondition("\(text); rename one of them (vgrename(8) by uuid)")
    }
    if says(
      "in use", "is used by another device", "missing pvs", "physical volumes missing", "is partial", "read-only",
      "read only", "needs_check", "need manual repair", "transaction_id", "is exported", "foreign", "pv missing",
      "missing device", "with missing", "refusing")
    {
      return .precondition(text)
    }
    if says(
      "can't get lock", "lock failed", "failed to lock", "locking failed", "flock", "resource temporarily unavailable",
      "interrupted")
    {
      return .unavailable(text)
    }
    return .failed(text)
  }

  /// The error messages on one line, below 1 KiB; the warnings when there are none.
  private var explanation: String {
    let lines =
      errors.isEmpty ? output.split(separator: "\n").filter { $0.contains("WARNING") } : errors.split(separator: "\n")
    let text = lines.map { $0.drop { $0 == " " } }.joined(separator: " ")
    return text.isEmpty ? "failed with status \(status) and said nothing" : String(text.prefix(700))
  }
}
